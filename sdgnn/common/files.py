"""Files that are either complete or absent, and names for their content."""

from __future__ import annotations

import errno
import hashlib
import json
import lzma
import math
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.names import nearest

PARSER_ERRORS = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, EOFError, ArithmeticError, MemoryError,
    AssertionError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
"""What the readers of zip, HDF5, zarr, safetensors and numpy raise on damaged or forged files."""

UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM, errno.EACCES,
               errno.EBADF, errno.EISDIR}  # fmt: skip
"""How file systems answer what they do not know."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; on leaving the block the file takes its place at once.

        with atomic_path("labels.h5") as temporary:
            temporary.write_bytes(content)

    Whatever happens (exception, kill, power cut), ``path`` holds the old content or the new one, never a part: the
    temporary file lies in the same folder, is flushed to the disk and then renamed. It keeps the suffix of ``path``.
    Missing folders are made. An exception in the block removes the temporary file and leaves ``path`` as it was.

    Where ``path`` is a symbolic link, the file that it names is replaced and the link stays. File systems that know no
    permissions, or cannot flush folders, are written as far as they can be.

    Raises UserError when the disk is full, a size limit is reached or the folder cannot be written.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    fix = "free space or choose another folder; files finished before are intact"
    with writing(path, fix):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{path.stem}-", suffix=path.suffix)
            os.close(handle)
        except OSError as error:
            raise UserError(f"{path} could not be written: {write_failure(error) or error}", fix=fix) from error
        temporary = Path(name)
        try:
            yield temporary
            with _where_supported():
                temporary.chmod(0o666 & ~_umask())
            _flush(temporary)
            temporary.replace(target)
            _flush(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(what: object, fix: str) -> Iterator[None]:
    """Whatever keeps ``what`` from being written in the block (:func:`write_failure`) is raised as UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = write_failure(error)
        if reason is None:
            raise
        raise UserError(f"{what} could not be written: {reason}", fix=fix) from error


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write ``content`` to ``path`` as JSON, complete or not at all, and return the path.

    Arrays are written as lists, numbers that are not finite as null.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Path(path)


def read_json(path: str | os.PathLike[str]) -> Any:
    """What is in a JSON file. Raises OSError and ValueError."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def plain(content: Any) -> Any:
    """Nests of dicts, lists, arrays and numbers as JSON has them: numbers that are not finite become None."""
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if isinstance(content, np.ndarray | np.generic):
        return plain(content.tolist())
    return None if isinstance(content, float) and not math.isfinite(content) else content


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
    found = sorted({str(one) for pattern in patterns for one in folder.glob(pattern) if not one.name.startswith(".")})
    if near := nearest(str(path), found, 0.5):
        return f"did you mean {near}?"
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
    """Wait until a file or a folder's list of names is on the disk, where the file system can tell."""
    with _where_supported():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _where_supported() -> Iterator[None]:
    """Nothing happens on file systems (FAT, CIFS, some of FUSE) that do not know what is asked for in the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
