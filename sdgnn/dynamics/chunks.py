"""Chunks of a trajectory on the disk: compressed, with a checksum, and named when the disk has changed one."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray

CODECS = (ZstdCodec(), Crc32cCodec())
"""How the numbers of a chunk become its bytes: compressed, and the CRC-32C of that (RFC 3720) appended."""
SEALED = {"checksums": "crc32c"}
"""Attributes of a trajectory whose chunks have them; older ones have none."""
UNWRITTEN = -1
"""Step of an entry that is not written (completely)."""
BLOCK = 2**12
"""Steps that are read first."""
LARGEST = 2**31
"""Bytes of a chunk or a coordinate at most."""


class CheckedStore(LocalStore):
    """A folder of chunks that are compared with their checksums when they are read."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of ``key``. Raises UserError where they are a chunk that is not what was written."""
        found = await super().get(key, prototype, byte_range)
        if found is not None and byte_range is None and "/c/" in key and not intact(found.to_bytes()):
            array, place = key.split("/c/")
            raise UserError(
                f"{self.root / key} is damaged: part {place.split('/')[0]} in time of {array!r} was changed",
                allowed="the other parts and arrays, which can be read as before",
                fix="copy them, or run the simulation again in another folder",
            )
        return found


def intact(chunk: bytes) -> bool:
    """Whether the checksum at the end of a chunk's bytes is theirs."""
    return len(chunk) >= 4 and google_crc32c.value(chunk[:-4]).to_bytes(4, "little") == chunk[-4:]


def checked(store: Any) -> Any:
    """The store to open a trajectory with: a folder whose chunks have checksums is read with them."""
    if not isinstance(store, Path):
        return store
    attributes = zarr.open_group(store, mode="r", zarr_format=3).attrs
    return CheckedStore(store) if SEALED.items() <= dict(attributes).items() else store


def written(steps: Any) -> int:
    """How many first entries of an array of steps are written; no more of it is read than about twice as many."""
    done, block = 0, BLOCK
    while done < steps.shape[0]:
        unwritten = np.flatnonzero(steps[done : done + block] == UNWRITTEN)
        if len(unwritten):
            return done + int(unwritten[0])
        done, block = done + block, 2 * block
    return int(steps.shape[0])


def open_written(store: Any) -> xarray.Dataset:
    """The entries that are written, their times and steps read, all else when it is asked for.

    Arrays have room for all steps of a run, which may be many more than there are entries.
    """
    import xarray

    group = zarr.open_group(store, mode="r", zarr_format=3)
    times = time_arrays(group)
    named = [name for pair in times.items() for name in pair]
    data = xarray.open_zarr(
        store, consolidated=False, chunks=None, decode_times=False, zarr_format=3, drop_variables=named
    )
    for step, time in times.items():
        count = written(group[step])
        data = data.isel({time: slice(0, count)}, missing_dims="ignore")
        for name in (time, step):
            array: Any = group[name]
            data = data.assign_coords({name: (time, array[:count], dict(array.attrs))})
    return data


def time_arrays(group: Any) -> dict[str, str]:
    """Names of the arrays of steps of a trajectory, each with that of its times."""
    found = {}
    for name, array in group.arrays():
        dims = array.metadata.dimension_names
        if name.split("_")[0] == "step" and array.ndim == 1 and dims and dims[0] in group:
            found[name] = dims[0]
    return found


def check_arrays(store: Any) -> None:
    """Refuse pieces that are read at once and larger than LARGEST, and numbers that are not what is said of them.

    Raises UserError, or whatever zarr raises on arrays that are none.
    """
    group = zarr.open_group(store, mode="r", zarr_format=3)
    by_parts = {name for pair in time_arrays(group).items() for name in pair}
    for name, array in group.arrays():
        at_once = array.shape if array.ndim == 1 and name not in by_parts else array.chunks
        size = math.prod(at_once) * array.dtype.itemsize
        if size > LARGEST:
            raise UserError(f"{name!r} of {size / 2**30:.1f} GiB in one piece", allowed=f"{LARGEST / 2**30:g} GiB")
        if array.size:
            with suppress(UserError):  # a damaged chunk is told of when its numbers are asked for
                array[(0,) * array.ndim]
