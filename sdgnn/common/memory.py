"""Memory of this process, and of the tensors that are alive in a piece of work."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdgnn.common.errors import UserError

GB = 1e9
"""Bytes of the unit in which limits are given."""


class Counted(TorchDispatchMode):
    """While active, counts the bytes of tensors that torch makes.

    Tensors count as long as anything holds them, views not at all. Depends on shapes alone, so that the same work gives
    the same number. What numpy, LAPACK and compiled loops take is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive = 0
        """Bytes of tensors that are alive."""
        self.peak = 0
        """The largest that ``alive`` has been."""
        self._counted: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {storage._cdata for storage in _storages((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for storage in _storages(out):
            if storage._cdata not in given and storage._cdata not in self._counted:
                self._add(storage)
        return out

    def _add(self, storage: Any) -> None:
        size, key = storage.nbytes(), storage._cdata
        self._counted.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._remove, key, size).atexit = False

    def _remove(self, key: int, size: int) -> None:
        self._counted.discard(key)
        self.alive -= size


def _storages(tree: Any) -> Iterator[Any]:
    """Memory of all tensors in ``tree``; of sparse ones, that of their indices and values."""
    for leaf in tree_leaves(tree):
        if isinstance(leaf, Tensor):
            dense = (leaf._indices(), leaf._values()) if leaf.layout is torch.sparse_coo else (leaf,)
            yield from (part.untyped_storage() for part in dense)


def peak_memory() -> float:
    """Bytes that this process has had at most: of main memory, and of a GPU's where torch has used one."""
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else 0
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")  # Linux
        kibibytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return on_gpu + 1024.0 * kibibytes
    except (OSError, StopIteration):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return on_gpu + float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def check_memory(memory: float) -> float:
    """A limit in GB. Raises UserError unless it is positive."""
    if not memory > 0:
        raise UserError(f"memory of {memory} GB", allowed="a positive number of GB (10^9 bytes)")
    return float(memory)
