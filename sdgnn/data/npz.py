"""Label sets of other programs: ``.npz`` files with spins, field, lattice and shape."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.data.arrays import DATASETS, StoredArray, as_text, check_sizes, read_states
from sdgnn.data.labels import LabelSet
from sdgnn.lattice import Lattice

LATTICES = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}
"""Crystals that a file may name, and their numbers of axes."""


class NpzArray(StoredArray):
    """A member of an ``.npz`` whose type and shape are known before its numbers are read."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, _, self.dtype = header(stream)
            self.stored = info.file_size - stream.tell()
        self._archive, self._info = archive, info

    def read(self) -> np.ndarray:
        with self._archive.open(self._info) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)


def read_npz(path: Path) -> LabelSet:
    """Label set from an ``.npz``; see :func:`sdgnn.data.read`."""
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
        missing = sorted({"spins", "field", "lattice", "shape"} - names)
        if missing:
            raise UserError(f"no {', '.join(missing)}", allowed="an .npz with spins, field, lattice, shape")
        wanted = ("lattice", "shape", *(name for name in DATASETS if name in names))
        arrays = {name: NpzArray(archive, name) for name in wanted}
        name, shape = arrays.pop("lattice"), arrays.pop("shape")
        check_sizes({"lattice": name, "shape": shape})
        if name.dtype.kind not in "US" or name.shape not in ((), (1,)):
            raise UserError(f"lattice of type {name.dtype} and shape {name.shape}", allowed="the name of a lattice")
        if shape.dtype.kind not in "iu" or len(shape.shape) > 1:
            raise UserError(f"shape of type {shape.dtype}", allowed="unit cells along each axis, whole numbers")
        lattice = _named_lattice(as_text(name.read().reshape(-1)[0]), np.atleast_1d(shape.read()).tolist())
        return LabelSet(lattice=lattice, **read_states(arrays, lattice))


def _named_lattice(name: str, shape: list[int]) -> Lattice:
    if name not in LATTICES:
        raise UserError(f"lattice {name!r}", allowed=", ".join(LATTICES))
    if len(shape) != LATTICES[name]:
        raise UserError(f"shape {shape} of a {name} lattice", allowed=f"{LATTICES[name]} numbers of unit cells")
    return getattr(Lattice, name)(*shape)
