"""Arrays of a label set in a file: which there are, and the checks before and after they are read."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import torch

from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB
from sdgnn.data.labels import NUMBERS
from sdgnn.lattice import Lattice

DATASETS = {
    "spins": ("state site component", "1", "classical spins S_i, |S_i| = 1"),
    "field": ("state site component", "t", "effective field H_i = -dE/dS_i"),
    "energy": ("state", "t", "total energy"),
    "density": ("state site", "electrons per site", "n_i in [0, 2]"),
    "mu": ("state", "t", "chemical potential; -inf without electrons, inf where all levels are full"),
    "protocol": ("state", "", "name of the protocol that chose the state"),
    "seed": ("state", "", "seed of the sample the state belongs to, -1 if unknown"),
    "step": ("state", "", "time step in the run the state was taken from, -1 outside runs"),
}
"""Name to (axes, unit, definition)."""

SINCE = {"mu": 2}
"""First version of the HDF5 schema that has the dataset, where that is not 1; older files mean nothing by it."""


class StoredArray(ABC):
    """An array whose type and shape are known before its numbers are read."""

    dtype: np.dtype
    shape: tuple[int, ...]
    stored: int | None
    """Bytes in the file; None when compressed or of varying length."""

    @abstractmethod
    def read(self) -> np.ndarray:
        """The numbers."""


def read_states(arrays: Mapping[str, StoredArray], lattice: Lattice) -> dict[str, Any]:
    """Checked arrays of :data:`DATASETS`, as the fields of a LabelSet."""
    for name in ("spins", "field"):
        if name not in arrays:
            raise UserError(f"no {name}", allowed="spins and field of shape (state, site, 3)")
    spins = arrays["spins"].shape
    n = spins[0] if spins else 0
    sizes = {"state": n, "site": lattice.n_sites, "component": 3}
    for name, array in arrays.items():
        axes = DATASETS[name][0]
        expected = tuple(sizes[axis] for axis in axes.split())
        if array.shape != expected:
            raise UserError(
                f"{name} of shape {array.shape}", allowed=f"({axes.replace(' ', ', ')}) = {expected} on {lattice!r}"
            )
        kinds = {"protocol": "SUO", "seed": "iu", "step": "iu"}.get(name, "f")
        text = name == "protocol" and h5py.check_string_dtype(array.dtype) is not None
        if array.dtype.kind not in kinds or (array.dtype.kind == "O" and not text):
            raise UserError(
                f"{name} of type {array.dtype}",
                allowed={"S": "text", "i": "whole numbers", "f": "float32 or float64"}[kinds[0]],
            )
    check_sizes(arrays)
    found: dict[str, Any] = {name: array.read() for name, array in arrays.items()}
    for name in found.keys() & NUMBERS:
        found[name] = torch.from_numpy(found[name].astype(np.float64))
    if "protocol" in found:
        found["protocol"] = tuple(as_text(name) for name in found["protocol"])
    return found


def check_sizes(arrays: Mapping[str, StoredArray]) -> None:
    """Refuse arrays that the file cannot hold or the memory cannot take."""
    needed = 0
    for name, array in arrays.items():
        size = int(np.prod(array.shape, dtype=object)) * array.dtype.itemsize
        if array.stored is not None and array.stored != size:
            raise UserError(
                f"{name} has {array.stored} bytes where its shape {array.shape} asks for {size}",
                allowed="a complete file",
                fix="generate or copy it again",
            )
        needed += size
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 2 * needed > memory:
        raise UserError(
            f"labels of {needed / GB:.1f} GB",
            allowed=f"half of this machine's {memory / GB:.1f} GB of memory",
            fix="split the set into several files",
        )


def as_text(value: Any) -> str:
    """Text from an HDF5 or numpy value."""
    if isinstance(value, np.ndarray):
        value = value.item()
    return value.decode() if isinstance(value, bytes) else str(value)
