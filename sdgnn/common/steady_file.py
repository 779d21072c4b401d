"""A file for HDF5 that outlives a full disk."""

from __future__ import annotations

import io
import os
from typing import Any

SHORT = 65_536
"""Bytes of the longest piece, written after a failure, that is kept to be read again; HDF5's references are shorter."""


class SteadyFile(io.FileIO):
    """A new file to write HDF5 to, which is not made for a disk that fills up: a failure ends the process later on.

    HDF5 hears of no failure: the first one is kept and raised by :meth:`finish`. What follows is dropped, but for short
    pieces, since HDF5 reads its own references to places in the file again, and follows them wherever they point::

        stream = SteadyFile(path)
        with h5py.File(stream, "w") as file:
            ...
        stream.finish()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, "w+")
        self._failure: OSError | None = None
        self._place = self._end = 0  # where a file would be, and end, that had not failed
        self._kept: list[tuple[int, bytes]] = []  # short pieces since the failure, and their places

    def write(self, data: Any) -> int:
        content = memoryview(data).cast("B")
        place, done = self.tell(), 0
        try:
            while self._failure is None and done < len(content):
                done += super().write(content[done:])  # a disk that fills up takes a part
        except OSError as error:
            self._fail(error)
        if self._failure is not None:
            if len(content) <= SHORT:
                self._kept.append((place, bytes(content)))
            self._place = place + len(content)
            self._end = max(self._end, self._place)
        return len(content)

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, with zeros where nothing was written: h5py passes no count of bytes on to HDF5."""
        place, size = self.tell(), memoryview(buffer).nbytes
        content = bytearray(os.pread(self.fileno(), size, place).ljust(size, b"\0"))
        for start, piece in self._kept:
            first, last = max(start, place), min(start + len(piece), place + size)
            if first < last:
                content[first - place : last - place] = piece[first - start : last - start]
        memoryview(buffer).cast("B")[:] = content
        self.seek(size, os.SEEK_CUR)
        return size

    def truncate(self, size: int | None = None) -> int:
        end = self.tell() if size is None else size
        try:
            if self._failure is None:
                return super().truncate(end)
        except OSError as error:
            self._fail(error)
        self._end = end
        return end

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self._failure is None:
            return super().seek(offset, whence)
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return super().seek(self._place)

    def tell(self) -> int:
        return super().tell() if self._failure is None else self._place

    def _fail(self, error: OSError) -> None:
        self._place, self._end, self._failure = super().tell(), os.fstat(self.fileno()).st_size, error

    def flush(self) -> None:
        """Nothing waits in a raw file."""

    def finish(self) -> None:
        """Close the file. Raises what kept a part of it from being written."""
        self.close()
        if self._failure is not None:
            raise self._failure
