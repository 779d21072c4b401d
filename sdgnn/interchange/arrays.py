"""Trajectories as numpy's .npz and as NetCDF, for programs that know arrays alone."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.extras import require
from sdgnn.common.files import atomic_path
from sdgnn.common.steady_file import SteadyFile
from sdgnn.data.arrays import as_text, check_sizes
from sdgnn.data.npz import NpzArray
from sdgnn.dynamics.trajectory import lattice_of
from sdgnn.interchange.states import as_trajectory, thinned
from sdgnn.lattice import Lattice
from sdgnn.lattice.text import describe_lattice, lattice_described

if TYPE_CHECKING:
    import xarray

PIECE_BYTES = 2**21
"""Of a quantity, what is read at once."""


def write_npz(trajectory: xarray.Dataset, path: str | os.PathLike[str], lattice: Lattice | None = None) -> None:
    """Write the recorded spins of a trajectory as ``.npz``, piece by piece.

    ========= =========================== ========================================================
    spins     (time, replica, site, 3)    unit vectors, as recorded
    times     (time,)                     hbar / t
    positions (site, dim)                 in nearest-neighbour distances
    cell      (dim, dim)                  rows span the periodic cell
    lattice   text                        JSON from which :func:`read_npz` builds the lattice
    ========= =========================== ========================================================

    ``lattice`` is read from the trajectory if not given. ``numpy.load`` needs no pickle for it. Raises UserError on a
    trajectory without spins and when the file cannot be written.
    """
    lattice = lattice_of(trajectory) if lattice is None else lattice
    spins = thinned(trajectory)["spins"]
    time = spins.dims[0]
    small = {
        "times": spins[time].values.astype(np.float64),
        "positions": lattice.positions,
        "cell": lattice.cell,
        "lattice": np.array(describe_lattice(lattice)),
    }
    entries = max(1, PIECE_BYTES * len(spins) // spins.nbytes)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, values in small.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)
        kind = np.dtype(spins.dtype).newbyteorder("<")
        head = {"descr": kind.str, "fortran_order": False, "shape": spins.shape}
        with archive.open("spins.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_2_0(stream, head)
            for k in range(0, len(spins), entries):
                piece = spins.isel({time: slice(k, k + entries)}).values
                stream.write(np.ascontiguousarray(piece, kind).tobytes())


def read_npz(path: str | os.PathLike[str], lattice: Lattice | None = None) -> xarray.Dataset:
    """The spins in an ``.npz`` as a trajectory.

    Takes the files of :func:`write_npz`, and any other with ``spins`` (site, 3), (replica, site, 3) or (time, replica,
    site, 3), and ``times`` if it likes, whose sites are in the order of ``lattice``. That must be given for a file
    which describes none; where ``positions`` are there, they must be those of ``lattice``. Sizes are checked before
    numbers are read, nothing in the file is run. Raises UserError on files that are no such ``.npz`` or do not fit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if "spins" not in names:
                raise UserError("no spins", allowed="an .npz with spins (time, replica, site, 3)")
            wanted = names & {"spins", "times", "positions", "cell", "lattice"}
            stored = {name: NpzArray(archive, name) for name in wanted}
            check_sizes(stored)
            arrays = {name: array.read() for name, array in stored.items()}
        given = lattice or lattice_described(as_text(arrays["lattice"]), arrays["positions"])
        if lattice is not None and "positions" in arrays:
            positions = np.asarray(arrays["positions"], dtype=np.float64)
            if positions.shape != lattice.positions.shape or not np.allclose(positions, lattice.positions, atol=1e-4):
                raise UserError("spins at other positions", allowed=f"the sites of {lattice!r} in their order")
        spins = arrays["spins"]
        spins = spins.astype(spins.dtype.newbyteorder("="))
        return as_trajectory(spins, given, arrays.get("times"))
    except UserError as error:
        raise UserError(f"{path}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except KeyError as error:
        raise UserError(f"{path}: no {error.args[0]}", fix="give lattice=, whose sites the spins are on") from error
    except (OSError, ValueError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile, SyntaxError) as error:
        raise UserError(f"{path} cannot be read as .npz ({error})", allowed="an .npz with spins") from error


def write_netcdf(trajectory: xarray.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a trajectory with all it recorded as NetCDF 4 (``.nc``), piece by piece; xarray and ParaView read it.

    ``xarray.open_dataset`` gives it back with labels, units and lattice. Needs ``pip install 'sdgnn[interchange]'``.
    Raises UserError without, and when the file cannot be written.
    """
    require("interchange", "NetCDF")
    import dask

    path = Path(path)
    if path.suffix != ".nc":
        raise UserError(f"{path} for NetCDF", allowed=".nc")
    times: dict[Hashable, int] = {}
    for values in trajectory.data_vars.values():
        entries = PIECE_BYTES * len(values) // max(1, values.nbytes)
        times[values.dims[0]] = max(1, min(entries, times.get(values.dims[0], entries)))
    with atomic_path(path) as temporary, dask.config.set(scheduler="synchronous"):  # others read ahead of the disk
        stream = SteadyFile(temporary)
        trajectory.chunk(times).to_netcdf(stream, engine="h5netcdf")
        stream.finish()
