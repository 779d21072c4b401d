"""Chunks of a trajectory on the disk: compressed, with a checksum, and named when the disk has changed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from sdgnn.common.errors import UserError

CODECS = (ZstdCodec(), Crc32cCodec())
"""How the numbers of a chunk become its bytes: compressed, and the CRC-32C of that (RFC 3720) appended."""
SEALED = {"checksums": "crc32c"}
"""Attributes of a trajectory whose chunks have them; older ones have none."""
UNWRITTEN = -1
"""Step of an entry that is not written (completely)."""
BLOCK = 2**12
"""Steps that are read first."""


class CheckedStore(LocalStore):
    """A folder of chunks that are compared with their checksums when they are read.

    zarr compares them too, but does not say which file is damaged.
    """

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
    """Whether the checksum at the end of a chunk is that of the bytes before."""
    return len(chunk) >= 4 and google_crc32c.value(chunk[:-4]).to_bytes(4, "little") == chunk[-4:]


def checked(store: Any) -> Any:
    """The store to open a trajectory with: a folder whose chunks have checksums is read with them."""
    if not isinstance(store, Path):
        return store
    attributes = zarr.open_group(store, mode="r", zarr_format=3).attrs
    return CheckedStore(store) if SEALED.items() <= dict(attributes).items() else store


def written(steps: Any) -> int:
    """Number of first entries of an array of steps that are written; no more of it is read than about twice as many."""
    done, block = 0, BLOCK
    while done < steps.shape[0]:
        unwritten = np.flatnonzero(steps[done : done + block] == UNWRITTEN)
        if len(unwritten):
            return done + int(unwritten[0])
        done, block = done + block, 2 * block
    return int(steps.shape[0])
