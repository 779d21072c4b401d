"""Label sets as HDF5: the schema of ``docs/label-sets.md``, written and read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import SHOWN, atomic_path
from sdgnn.common.names import did_you_mean
from sdgnn.common.steady_file import SteadyFile
from sdgnn.data.arrays import DATASETS, SINCE, StoredArray, as_text, check_sizes, read_states
from sdgnn.data.labels import NUMBERS, LabelSet, Origin
from sdgnn.lattice import MOST_SITES, Lattice

FORMAT, SEVERAL = "sdgnn label set", "sdgnn label sets"
"""What files say that they are: a label set, or a group for each of several."""
SCHEMA = 2
"""Version of the HDF5 schema that is written; all versions up to it are read."""

CONVENTIONS = (
    "H = - sum_n t_n sum_<ij>_n (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i), sigma Pauli matrices without 1/2; "
    "spin_orbit in the Hamiltonian adds - sum_<ij> (c+_i i lambda_ij . sigma c_j + h.c.); "
    "units: t_1 = 1, hbar = k_B = 1, |S| = 1, nearest-neighbour distance 1; "
    "filling = N_e / (2 N_sites); energy is total (not per site): grand potential at fixed mu, Helmholtz energy at "
    "fixed filling; field = -dE/dS_i with S_i a free 3-vector, the part along S_i kept"
)


def write(labels: LabelSet, path: str | os.PathLike[str]) -> None:
    """Write ``labels`` as HDF5 of the current schema, complete or not at all.

    Raises UserError when the name does not end in ``.h5`` or the file cannot be written.
    """
    with _new_file(path) as file:
        _fill(file, labels)


def write_all(sets: Mapping[str, LabelSet], path: str | os.PathLike[str]) -> None:
    """Write label sets, of whatever lattices and Hamiltonians, into one HDF5 file, each under its name.

        write_all({"cold": first, "warm": second}, "both.h5")
        read("both.h5", "warm")

    Every group of the file has the schema of a label set. Raises UserError as :func:`write` does, without any set, and
    for names that are empty or have a slash or begin with a full stop.
    """
    if not sets:
        raise UserError("no label sets to write", allowed="at least one")
    for name in sets:
        if not name or "/" in name or name.startswith("."):
            raise UserError(f"label set name {name!r}", allowed="a name without slashes that begins with no full stop")
    with _new_file(path) as file:
        for key, value in {"format": SEVERAL, "schema": SCHEMA, "conventions": CONVENTIONS}.items():
            file.attrs[key] = _text(value) if isinstance(value, str) else value
        for name, labels in sets.items():
            _fill(file.create_group(name), labels)


@contextmanager
def _new_file(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """An empty HDF5 file, which takes its place when the block ends well."""
    path = Path(path)
    if path.suffix != ".h5":
        raise UserError(f"label set name {path.name!r}", allowed="a name that ends in .h5")
    with atomic_path(path) as temporary:
        stream = SteadyFile(temporary)
        with h5py.File(stream, "w", libver="v110") as file:
            yield file
        stream.finish()


def _fill(file: h5py.Group, labels: LabelSet) -> None:
    attributes = {
        "format": FORMAT, "schema": SCHEMA, "conventions": CONVENTIONS, "content_hash": labels.content_hash,
        **asdict(labels.origin),
    }  # fmt: skip
    for name, value in attributes.items():
        if isinstance(value, dict | tuple):
            value = json.dumps(value)
        if value is not None:
            file.attrs[name] = _text(value) if isinstance(value, str) else value
    numbers = {name: value.numpy() for name in NUMBERS if (value := getattr(labels, name)) is not None}
    names = np.char.encode(np.array(labels.protocol, dtype=str), "utf-8") if len(labels) else np.array([], "S1")
    contents: dict[str, np.ndarray] = {**numbers, "protocol": names, "seed": labels.seeds, "step": labels.steps}
    for name, value in contents.items():
        if value.dtype.kind == "S":
            value = value.astype(h5py.string_dtype("utf-8", value.dtype.itemsize))
        dataset = file.create_dataset(name, data=value)
        for key, text in zip(("axes", "unit", "definition"), DATASETS[name], strict=True):
            dataset.attrs[key] = _text(text)
    group = file.create_group("lattice")
    lattice = labels.lattice
    group.attrs["name"] = _text(lattice.name)
    group.create_dataset("positions", data=lattice.positions)
    group.create_dataset("cell", data=lattice.cell)
    if lattice.shape is not None:
        group.create_dataset("vectors", data=lattice.vectors)
        group.create_dataset("basis", data=lattice.basis)
        group.create_dataset("shape", data=np.array(lattice.shape, dtype=np.int64))


def read_hdf5(path: Path, name: str | None = None) -> LabelSet:
    """Label set from an HDF5 file of any schema up to the current one; of several, that of this ``name``.

    Raises UserError where there are several and no name, and where there is none of that name.
    """
    with h5py.File(path, "r") as file:
        if _kind(file) == FORMAT:
            if name is not None:
                raise UserError(f"name {name!r} in a file with one label set", allowed="no name")
            return _read_set(file)
        there = _names(file)
        if name is None or name not in there:
            raise UserError(
                f"{'no name' if name is None else f'name {name!r}'} of one of {len(there)} label sets",
                allowed=f"name={', '.join(map(repr, there[:SHOWN]))}{', ...' if len(there) > SHOWN else ''}",
                fix=("" if name is None else did_you_mean(name, there)) or "sdgnn.data.read_each reads them all",
            )
        return _read_set(file[name])


def names_in(path: Path) -> Sequence[str | None]:
    """Names of the label sets in an HDF5 file; None alone where there is one without a name."""
    with h5py.File(path, "r") as file:
        return [None] if _kind(file) == FORMAT else _names(file)


def _kind(group: h5py.Group) -> str:
    """What a file or a group says that it is. Raises UserError where that is unknown or too new."""
    kind, schema = as_text(group.attrs.get("format", "")), int(group.attrs.get("schema", 0))
    if kind not in (FORMAT, SEVERAL):
        raise UserError(f"an HDF5 file of format {kind!r}", allowed=f"{FORMAT!r} or {SEVERAL!r}")
    if not 1 <= schema <= SCHEMA:
        raise UserError(f"label set of schema {schema}", allowed=f"schema 1 to {SCHEMA}", fix="update sdgnn to read it")
    return kind


def _names(file: h5py.File) -> list[str]:
    """Names of the label sets in a file of several."""
    return [name for name, one in file.items() if isinstance(one, h5py.Group)]


def _read_set(group: h5py.Group) -> LabelSet:
    """The label set in a file or a group of one."""
    if (kind := _kind(group)) != FORMAT:
        raise UserError(f"a group of format {kind!r}", allowed=f"{FORMAT!r}")
    schema = int(group.attrs["schema"])
    lattice = _read_lattice(group)
    names = [name for name in DATASETS if name in group and schema >= SINCE.get(name, 1)]
    states = read_states({name: _HDF5Array(group, name) for name in names}, lattice)
    labels = LabelSet(lattice=lattice, origin=_read_origin(group), **states)
    stored = as_text(group.attrs.get("content_hash", ""))
    if stored and labels.content_hash != stored:
        raise UserError(
            "content does not match its content_hash",
            allowed="a file that was not changed since it was written",
            fix="copy or generate it again; after a deliberate change delete the attribute content_hash",
        )
    return labels


def _read_origin(file: h5py.Group) -> Origin:
    def nested(text: Any) -> Any:
        return json.loads(as_text(text))

    kinds: dict[str, Callable[[Any], Any]] = {
        "hamiltonian": nested, "kT": float, "filling": float, "mu": float, "solver": nested,
        "protocols": lambda text: tuple(nested(text)), "seed": int, "version": as_text, "commit": as_text,
        "created": as_text,
    }  # fmt: skip
    return Origin(**{name: kind(file.attrs[name]) for name, kind in kinds.items() if name in file.attrs})


def _read_lattice(file: h5py.Group) -> Lattice:
    if not isinstance(file.get("lattice"), h5py.Group):
        raise UserError("no lattice", allowed="a group `lattice` with name, positions, cell (see docs/label-sets.md)")
    group = file["lattice"]
    entries: dict[str, Any] = {"name": as_text(group.attrs.get("name", "crystal" if "shape" in group else "free"))}
    names = ("vectors", "basis", "shape") if "shape" in group else ("positions", "cell")
    for name in names:
        array = _HDF5Array(group, name)
        check_sizes({name: array})
        if array.dtype.kind not in "fiu":
            raise UserError(f"lattice/{name} of type {array.dtype}", allowed="numbers")
        rows, *columns = array.shape or (0,)
        if len(columns) != (name != "shape") or not 1 <= (columns or [rows])[0] <= 3 or rows > MOST_SITES:
            raise UserError(f"lattice/{name} of shape {array.shape}", allowed="vectors of one to three components")
        entries[name] = array.read().tolist()
    return Lattice.from_dict(entries)


class _HDF5Array(StoredArray):
    """A dataset whose type and shape are known before its numbers are read."""

    def __init__(self, group: h5py.Group, name: str) -> None:
        dataset = group.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise UserError(f"no dataset {name}", allowed="the datasets of docs/label-sets.md")
        if dataset.shape is None or dataset.external or dataset.is_virtual:
            raise UserError(f"dataset {name} without numbers of its own", allowed="numbers stored in the file")
        self.dtype, self.shape = dataset.dtype, tuple(dataset.shape)
        in_file = min(dataset.id.get_storage_size(), os.path.getsize(group.file.filename))
        self.stored = None if dataset.compression or self.dtype.kind == "O" else in_file
        self._dataset = dataset

    def read(self) -> np.ndarray:
        return np.asarray(self._dataset[()])


def _text(value: str) -> Any:
    """Text as a fixed-length UTF-8 HDF5 value (needs no heap, so the file's checksums cover it)."""
    data = value.encode()
    return np.array(data, dtype=h5py.string_dtype("utf-8", max(len(data), 1)))
