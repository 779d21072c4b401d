"""Files that are either complete or absent, and names for their content."""

from __future__ import annotations

import difflib
import errno
import hashlib
import lzma
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sdgnn.errors import UserError

PARSER_ERRORS = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, EOFError, ArithmeticError, MemoryError,
    AssertionError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
"""What the readers of zip, HDF5, zarr, safetensors and numpy raise on damaged or forged files."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; on leaving the block the file takes its place at once.

        with atomic_path("labels.h5") as temporary:
            temporary.write_bytes(content)

    Whatever happens (exception, kill, power cut), ``path`` holds the old content or the new one, never a part: the
    temporary file lies in the same folder, is flushed to the disk and then renamed. It keeps the suffix of ``path``.
    Missing folders are made. An exception in the block removes the temporary file and leaves ``path`` as it was.

    Raises UserError when the disk is full, a size limit is reached or the folder cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        reason = write_failure(error)
        if reason is None and temporary is not None:
            raise
        raise UserError(
            f"{path} could not be written: {reason or error}",
            fix="free space or choose another folder; files finished before are intact",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_failure(error: BaseException) -> str | None:
    """What keeps a file from being written (full disk, limits, permissions), or None for other errors.

    HDF5 reports such errors in its message alone, so the system's words are looked for there too.
    """
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR,
             errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)  # fmt: skip
    for code in codes:
        text = os.strerror(code)
        if getattr(error, "errno", None) == code or text in str(error) or f"errno = {code}," in str(error):
            return text.lower()
    return None


def where_else(path: str | os.PathLike[str], *patterns: str) -> str:
    """What to do about a ``path`` that is not there: the nearest existing name, else the names beside it.

    Only names that match one of the ``patterns`` count, of its folder, or of the nearest folder above that there is.
    """
    path = Path(path)
    folder = next(parent for parent in path.parents if parent.is_dir() or parent == parent.parent)
    found = sorted({str(one) for pattern in patterns for one in folder.glob(pattern)})
    if near := difflib.get_close_matches(str(path), found, n=1, cutoff=0.5):
        return f"did you mean {near[0]}?"
    if not found:
        return f"nothing of that kind is in {folder.absolute()}: check the path and the folder you are in"
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"in {folder.absolute()} there are {', '.join(found[:SHOWN])}{rest}"


SHOWN = 5
"""Names that a message lists at most."""


def content_hash(*arrays: np.ndarray | str | None) -> str:
    """SHA-256 of arrays (their dtype, shape and little-endian bytes) and strings in order, as 64 hex digits.

    The same numbers give the same name wherever and in whatever file they lie.
    """
    digest = hashlib.sha256()
    for item in arrays:
        if item is None:
            digest.update(b"none;")
        elif isinstance(item, str):
            digest.update(f"str:{len(item.encode())};".encode() + item.encode())
        else:
            little = np.ascontiguousarray(item, dtype=item.dtype.newbyteorder("<"))
            digest.update(f"{little.dtype.str}:{item.shape};".encode())
            digest.update(little.tobytes())
    return digest.hexdigest()


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
