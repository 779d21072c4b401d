"""Label sets as HDF5: the schema of ``docs/label-sets.md``, written and read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path
from sdgnn.common.steady_file import SteadyFile
from sdgnn.data.arrays import DATASETS, SINCE, StoredArray, as_text, check_sizes, read_states
from sdgnn.data.labels import NUMBERS, LabelSet, Origin
from sdgnn.lattice import MOST_SITES, Lattice

FORMAT = "sdgnn label set"
SCHEMA = 2
"""Version of the HDF5 schema that is written; all versions up to it are read."""

CONVENTIONS = (
    "H = - sum_n t_n sum_<ij>_n (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i), sigma Pauli matrices without 1/2; "
    "units: t_1 = 1, hbar = k_B = 1, |S| = 1, nearest-neighbour distance 1; "
    "filling = N_e / (2 N_sites); energy is total (not per site): grand potential at fixed mu, Helmholtz energy at "
    "fixed filling; field = -dE/dS_i with S_i a free 3-vector, the part along S_i kept"
)


def write(labels: LabelSet, path: str | os.PathLike[str]) -> None:
    """Write ``labels`` as HDF5 of the current schema, complete or not at all.

    Raises UserError when the name does not end in ``.h5`` or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise UserError(f"label set name {path.name!r}", allowed="a name that ends in .h5")
    with atomic_path(path) as temporary:
        stream = SteadyFile(temporary)
        with h5py.File(stream, "w", libver="v110") as file:
            _fill(file, labels)
        stream.finish()


def _fill(file: h5py.File, labels: LabelSet) -> None:
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


def read_hdf5(path: Path) -> LabelSet:
    """Label set from an HDF5 file of any schema up to the current one."""
    with h5py.File(path, "r") as file:
        kind, schema = as_text(file.attrs.get("format", "")), file.attrs.get("schema", 0)
        if kind != FORMAT:
            raise UserError(f"an HDF5 file of format {kind!r}", allowed=f"{FORMAT!r}")
        schema = int(schema)
        if not 1 <= schema <= SCHEMA:
            raise UserError(
                f"label set of schema {schema}", allowed=f"schema 1 to {SCHEMA}", fix="update sdgnn to read it"
            )
        lattice = _read_lattice(file)
        names = [name for name in DATASETS if name in file and schema >= SINCE.get(name, 1)]
        states = read_states({name: _HDF5Array(file, name) for name in names}, lattice)
        origin = _read_origin(file)
        stored = as_text(file.attrs.get("content_hash", ""))
    labels = LabelSet(lattice=lattice, origin=origin, **states)
    if stored and labels.content_hash != stored:
        raise UserError(
            "content does not match its content_hash",
            allowed="a file that was not changed since it was written",
            fix="copy or generate it again; after a deliberate change delete the attribute content_hash",
        )
    return labels


def _read_origin(file: h5py.File) -> Origin:
    def nested(text: Any) -> Any:
        return json.loads(as_text(text))

    kinds: dict[str, Callable[[Any], Any]] = {
        "hamiltonian": nested, "kT": float, "filling": float, "mu": float, "solver": nested,
        "protocols": lambda text: tuple(nested(text)), "seed": int, "version": as_text, "commit": as_text,
        "created": as_text,
    }  # fmt: skip
    return Origin(**{name: kind(file.attrs[name]) for name, kind in kinds.items() if name in file.attrs})


def _read_lattice(file: h5py.File) -> Lattice:
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
