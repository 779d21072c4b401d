"""Label sets on disk, whatever their format."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, where_else
from sdgnn.data.hdf5 import read_hdf5
from sdgnn.data.labels import LabelSet
from sdgnn.data.npz import read_npz


def read_all(path: str | os.PathLike[str]) -> list[LabelSet]:
    """The label set in a file, or those of all ``.h5`` files in a folder, by name.

    Raises UserError as :func:`read` does, and on a folder without any.
    """
    path = Path(path)
    files = sorted(path.glob("*.h5")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"folder {path} without label sets", allowed="a folder that holds .h5 files")
    return [read(file) for file in files]


def read(path: str | os.PathLike[str]) -> LabelSet:
    """Label set from an HDF5 file of this package or an ``.npz``; the kind is told from the content.

    An ``.npz`` holds ``spins`` and ``field`` (state, site, 3), ``lattice`` (a name such as ``square``) and ``shape``
    (unit cells along each axis), and may hold ``density`` (state, site), ``energy``, ``mu``, ``protocol`` and
    ``step`` (state,); site ``(x * L_2 + y) * n_basis + b``. Pickled objects are refused.

    Raises UserError for a missing, damaged or unsuitable file, naming what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"label set {path}, which {'is a folder' if path.is_dir() else 'does not exist'}",
            allowed="an .h5 file written by `sdgnn generate` or an .npz with spins, field, lattice, shape",
            fix=where_else(path / "labels.h5" if path.is_dir() else path, "*.h5", "*.npz", "*/*.h5"),
        )
    try:
        with open(path, "rb") as stream:
            start = stream.read(4)
        if start[:2] == b"PK":
            return read_npz(path)
        if h5py.is_hdf5(path):
            return read_hdf5(path)
    except UserError as error:
        raise UserError(f"{path}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except PermissionError as error:
        raise UserError(f"{path}, which may not be read", fix="change its permissions") from error
    except PARSER_ERRORS as error:
        raise UserError(f"{path}: damaged ({error})", fix="generate or copy the file again") from error
    raise UserError(
        f"{path}: neither HDF5 nor .npz, or cut short", allowed="a label set", fix="generate or copy it again"
    )
