"""OVF 2.0, the files of OOMMF, mumax3 and Ubermag: one spin state, as text or binary.

A crystal becomes a rectangular mesh (:func:`~sdgnn.interchange.mesh.mesh_of`), free positions an irregular one; a line
of the header describes the lattice, so that reading gives back what was written. The format is that of the OOMMF
user's guide, https://math.nist.gov/oommf/doc/userguide21a1/userguide/OVF_2_0_format.html.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path
from sdgnn.interchange.mesh import is_orthogonal, lattice_of_mesh, mesh_of, on_mesh, on_sites
from sdgnn.interchange.states import TIME_UNITS, Snapshot
from sdgnn.lattice import MOST_SITES, Lattice
from sdgnn.lattice.text import describe_lattice

BINARY = {"binary4": ("<f4", 1234567.0), "binary8": ("<f8", 123456789012345.0)}
"""Type of the numbers of each binary form and the value before the first of them."""
FORMS = {"text": "Text", "binary4": "Binary 4", "binary8": "Binary 8"}
"""How the header names the forms of the numbers."""
LATTICE = "sdgnn lattice:"
TIME = "Total simulation time:"
"""What the header's lines of description begin with; that of the time is mumax3's."""
LONGEST_HEADER = 2**24
"""Bytes."""
END = re.compile(r"\s*#\s*end\s*:\s*data", re.IGNORECASE)
"""The line that ends the numbers."""
UNIT = 1e-6
"""Vectors whose lengths all differ from 1 by less are spins as they are; others are divided by their lengths."""


def write_ovf(state: Snapshot, path: str | os.PathLike[str], form: str = "binary8") -> None:
    """Writes one state as OVF 2.0::

        sdgnn.interchange.write_ovf(sdgnn.interchange.snapshot(run.trajectory, time=10), "state.ovf")

    ``form`` is ``text`` or ``binary8``, which keep every digit, or ``binary4``, which keeps single precision. Lengths
    are in nearest-neighbour distances. Raises UserError on another form and when the file cannot be written.
    """
    if form not in FORMS:
        raise UserError(f"OVF of form {form!r}", allowed=", ".join(FORMS))
    lattice = state.lattice
    if lattice.is_crystal:
        mesh, values = mesh_of(lattice), on_mesh(state.spins, lattice)
        low = np.array(mesh.base) - np.array(mesh.step) / 2
        high = low + np.array(mesh.step) * np.array(mesh.nodes)
        entries = {"meshtype": "rectangular", "meshunit": "a" if is_orthogonal(lattice) else "index"}
        for name, triple in (("base", mesh.base), ("stepsize", mesh.step), ("nodes", mesh.nodes)):
            entries |= {f"{axis}{name}": repr(value) for axis, value in zip("xyz", triple, strict=True)}
    else:
        points = np.pad(lattice.positions, ((0, 0), (0, 3 - lattice.dim)))
        values = np.column_stack([points, state.spins])
        low, high = points.min(axis=0), points.max(axis=0)
        entries = {"meshtype": "irregular", "meshunit": "a", "pointcount": str(len(points))}
    for name, corner in (("min", low), ("max", high)):
        entries |= {f"{axis}{name}": repr(float(value)) for axis, value in zip("xyz", corner, strict=True)}
    header = ["OOMMF OVF 2.0", "", "Segment count: 1", "", "Begin: Segment", "Begin: Header", "", "Title: spins"]
    header += [f"Desc: {LATTICE} {describe_lattice(lattice)}"]
    header += [] if state.time is None else [f"Desc: {TIME}  {state.time!r}  {TIME_UNITS.replace(' ', '')}"]
    header += [f"{key}: {value}" for key, value in entries.items()]
    header += ["valuedim: 3", "valuelabels: S_x S_y S_z", "valueunits: 1 1 1", "", "End: Header", ""]
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(_lines([*header, f"Begin: Data {FORMS[form]}"]))
        if form == "text":
            np.savetxt(stream, values, fmt="%.17g")
        else:
            kind, check = BINARY[form]
            stream.write(np.array(check, dtype=kind).tobytes() + values.astype(kind).tobytes() + b"\n")
        stream.write(_lines([f"End: Data {FORMS[form]}", "End: Segment"]))


def read_ovf(path: str | os.PathLike[str], lattice: Lattice | None = None) -> Snapshot:
    """The state in an OVF 2.0 file of this package, OOMMF, mumax3 or discretisedfield.

    Files of this package give back lattice, spins and time. A rectangular mesh of another program becomes a lattice
    with a site in each cell that is not empty (:func:`~sdgnn.interchange.mesh.lattice_of_mesh`; the smallest edge is
    the unit of length), vectors become unit vectors. ``lattice`` says what the cells or points are instead: a crystal
    with a mesh of that shape, or sites at these positions.

    Spins are float32 in ``binary4`` and float64 otherwise. Sizes are checked before any number is read. Raises
    UserError on files that are no OVF 2.0 of three components, are cut off or inconsistent, or do not fit ``lattice``.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            header = _read_header(stream)
            values = _read_values(stream, header, path.stat().st_size)
        return _snapshot(header, values, lattice)
    except UserError as error:
        raise UserError(f"{path}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", allowed="an OVF 2.0 file") from error


def _lines(entries: list[str]) -> bytes:
    return "".join(f"# {entry}".rstrip() + "\n" for entry in entries).encode()


# -- header -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Header:
    """What the header of a file says."""

    entries: dict[str, str]
    """Values by key, in small letters without blanks."""
    descriptions: tuple[str, ...]
    """Lines of description."""
    form: str
    """Form of the numbers, of :data:`FORMS`."""

    def number(self, key: str, kind: type = float) -> Any:
        """A number of the header. Raises UserError when it is missing or none."""
        try:
            value = kind(self.entries[key])
            finite = math.isfinite(value)
        except (KeyError, ValueError, OverflowError):
            given = self.entries.get(key, "missing")
            raise UserError(f"{key} is {given!r}", allowed="a whole number" if kind is int else "a number") from None
        if not finite:
            raise UserError(f"{key} = {value}", allowed="a finite number")
        return value

    def triple(self, name: str, kind: type = float) -> tuple[Any, Any, Any]:
        """x, y and z of ``name``."""
        return self.number(f"x{name}", kind), self.number(f"y{name}", kind), self.number(f"z{name}", kind)

    @property
    def irregular(self) -> bool:
        """Whether every value comes with its position."""
        kind = self.entries.get("meshtype", "missing").lower()
        if kind not in ("rectangular", "irregular"):
            raise UserError(f"meshtype {kind!r}", allowed="rectangular or irregular")
        return kind == "irregular"

    @property
    def count(self) -> int:
        """Number of cells or points."""
        nodes = [self.number("pointcount", int)] if self.irregular else list(self.triple("nodes", int))
        if min(nodes) < 1 or math.prod(nodes) > MOST_SITES:
            raise UserError(f"{' x '.join(map(str, nodes))} nodes", allowed=f"1 to {MOST_SITES:.0e} in all")
        return math.prod(nodes)

    @property
    def time(self) -> float | None:
        """Time in hbar / t, if it is given in these units."""
        for line in self.descriptions:
            found = re.fullmatch(rf"{TIME}\s*(\S+)\s+hbar/t", line)
            if found:
                try:
                    return float(found[1])
                except ValueError:
                    return None
        return None


def _read_header(stream: BinaryIO) -> _Header:
    first = stream.readline(LONGEST_HEADER).decode("latin-1")
    if not re.fullmatch(r"#\s*OOMMF\s+OVF\s+2\.0\s*", first, re.IGNORECASE):
        raise UserError(
            f"a file that begins with {first[:40].strip()!r}",
            allowed="'# OOMMF OVF 2.0'",
            fix="save it again as OVF 2.0" if re.match(r"#\s*OOMMF", first, re.IGNORECASE) else "",
        )
    entries: dict[str, str] = {}
    descriptions: list[str] = []
    while stream.tell() < LONGEST_HEADER:
        line = stream.readline(LONGEST_HEADER)
        if not line:
            break
        key, colon, value = line.decode("latin-1").lstrip("# \t").partition(":")
        key, value = re.sub(r"\s", "", key).lower(), value.partition("##")[0].strip()
        if key == "begin" and value.lower().startswith("data"):
            form = re.sub(r"\s", "", value).lower().removeprefix("data")
            if form not in FORMS:
                raise UserError(f"data as {value[4:].strip()!r}", allowed=", ".join(FORMS.values()))
            return _Header(entries, tuple(descriptions), form)
        if key == "desc":
            descriptions.append(value)
        elif colon:
            entries[key] = value
    raise UserError("no block of data", allowed="a complete file")


# -- values -----------------------------------------------------------------------------------------------------


def _read_values(stream: BinaryIO, header: _Header, size: int) -> np.ndarray:
    """(node, 3) vectors, or (node, 6) with positions before them on an irregular mesh."""
    if header.number("valuedim", int) != 3:
        raise UserError(f"valuedim = {header.entries['valuedim']}", allowed="3, the components of a spin")
    shape = (header.count, 6 if header.irregular else 3)
    count, left = math.prod(shape), size - stream.tell()
    kind, check = BINARY.get(header.form, ("", 0.0))
    needed = (count + 1) * np.dtype(kind).itemsize if kind else 2 * count
    if left < needed:
        raise UserError(
            f"{left} bytes of data where {shape[0]} nodes ask for {needed} or more",
            allowed="a complete file",
            fix="write or copy it again",
        )
    if not kind:
        values = _read_text(stream)
        if values.size != count:
            raise UserError(f"{values.size} numbers where {shape[0]} nodes have {count}", allowed="a consistent file")
    else:
        found, values = np.split(np.frombuffer(stream.read(needed), kind), [1])
        if found[0] != check:
            order = ": bytes in the wrong order" if found[0].byteswap() == check else ""
            raise UserError(f"the check value is {found[0]:g}, not {check:.0f}{order}", allowed="little endian numbers")
        if not END.match(stream.read(64).decode("latin-1")):
            raise UserError(f"no end of the data after {shape[0]} nodes", allowed="a consistent file")
    values = values.reshape(shape)
    if not np.isfinite(values).all():
        raise UserError("values that are not finite", allowed="finite numbers")
    return values.astype(values.dtype.newbyteorder("="))


def _read_text(stream: BinaryIO) -> np.ndarray:
    """All numbers up to the end of the block."""

    def lines() -> Iterator[str]:
        for line in stream:
            text = line.decode("latin-1")
            if END.match(text):
                return
            yield text
        raise UserError("no end of the data", allowed="a complete file")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows at all: the count says so
            return np.loadtxt(lines(), dtype=np.float64, ndmin=2)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"data that are no table of numbers ({error})", allowed="rows of equal length") from None


# -- lattice ----------------------------------------------------------------------------------------------------


def _snapshot(header: _Header, values: np.ndarray, lattice: Lattice | None) -> Snapshot:
    described = _described(header, values)
    where = described if lattice is None else lattice
    if header.irregular:
        if where is None:
            raise UserError("points without a periodic cell", fix="give lattice=, the lattice that they are sites of")
        points = values if lattice is None else _by_position(values, lattice)
    elif described is not None:
        if lattice is not None and not (described.same_family(lattice) and described.shape == lattice.shape):
            raise UserError(f"spins of {described!r}", allowed=repr(lattice))
        points = on_sites(values, described)
    else:
        nodes = header.triple("nodes", int)
        if lattice is not None and (not lattice.is_crystal or mesh_of(lattice).nodes != nodes):
            wanted = f"the mesh {mesh_of(lattice).nodes} of " if lattice.is_crystal else "a file that describes "
            raise UserError(f"a mesh of {' x '.join(map(str, nodes))} cells", allowed=f"{wanted}{lattice!r}")
        where = lattice_of_mesh(nodes, header.triple("stepsize")) if lattice is None else lattice
        points = on_sites(values, where)
        empty = np.flatnonzero((points == 0).all(axis=1))
        if lattice is None and 0 < len(empty) < len(points):
            points, where = np.delete(points, empty, axis=0), where.without(empty)
    assert where is not None
    return Snapshot(_unit(np.ascontiguousarray(points[:, -3:])), where, header.time)


def _described(header: _Header, values: np.ndarray) -> Lattice | None:
    """The lattice that the header describes, if it does."""
    lines = [line.removeprefix(LATTICE) for line in header.descriptions if line.startswith(LATTICE)]
    if not lines:
        return None
    try:
        data = json.loads(lines[0])
        if header.irregular:
            return Lattice.free(values[:, : len(data["cell"])].astype(np.float64), data["cell"])
        shape, n_basis = [int(n) for n in data["shape"]], len(data["basis"])
        nodes = [*shape, 1, 1][:3]
        nodes[2] *= n_basis
        if tuple(nodes) != header.triple("nodes", int):
            raise UserError(
                f"a lattice of {shape} unit cells of {n_basis}", allowed="one that has the mesh of the file"
            )
        return Lattice.from_dict(data)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"a description of the lattice that cannot be read ({error!r})") from None


def _by_position(values: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Vectors in the order of the sites at their positions. Raises UserError unless there is one for each site."""
    sites = lattice.find(values[:, : lattice.dim].astype(np.float64))
    if len(sites) != lattice.n_sites or len(np.unique(sites)) != len(sites):
        raise UserError(f"points at {len(np.unique(sites))} of the sites", allowed=f"one at each of {lattice!r}")
    ordered = np.empty((len(sites), 3), values.dtype)
    ordered[sites] = values[:, 3:]
    return ordered


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1. Raises UserError where one has none."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        site = int(np.argmin(lengths))
        raise UserError(f"a vector of length {lengths[site]:g} at site {site}", allowed="vectors with a direction")
    if np.abs(lengths - 1).max() < UNIT:
        return vectors
    return (vectors / lengths[:, None]).astype(vectors.dtype)
