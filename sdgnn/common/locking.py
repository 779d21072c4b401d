"""One writer at a time in a folder."""

from __future__ import annotations

import errno
import json
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sdgnn.common.errors import UnlockedFolderWarning, UserError
from sdgnn.common.files import atomic_path, read_json, write_failure

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK, OWNER = ".lock", ".lock.json"
"""The locked file of a folder, and who holds it."""
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""How file systems that cannot lock answer."""


@contextmanager
def sole_writer(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Nobody else writes into ``folder`` within the block; see :func:`lock_folder`."""
    lock = lock_folder(folder)
    try:
        yield
    finally:
        lock.release()


def lock_folder(folder: str | os.PathLike[str]) -> BaseFileLock:
    """Keep other processes from writing into ``folder`` (made if missing) until the lock is released or forgotten.

    It is the system's lock on a file, so it goes with the process, however that ends, and leaves nothing to clean up.
    Within one process a folder can be locked several times. Raises UserError naming process, machine and start of the
    one that writes there, or why the folder cannot be written. Where the file system knows no locks, a warning
    (UnlockedFolderWarning) says so and nothing is locked.
    """
    from filelock import FileLock, Timeout

    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / LOCK, timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{place} is being written by {_owner(place)}",
            allowed="one run at a time in a folder",
            fix="wait for it, stop it, or choose another folder",
        ) from None
    except OSError as error:
        if error.errno in NO_LOCKS:
            warnings.warn(
                f"{place} is on a file system without locks ({error.strerror}): let nothing else write there",
                UnlockedFolderWarning,
                stacklevel=2,
            )
            return lock
        raise UserError(
            f"{place} could not be written: {write_failure(error) or error}", fix="choose another folder"
        ) from error
    if lock.lock_counter == 1:
        owner = {"process": os.getpid(), "machine": platform.node(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        with atomic_path(place / OWNER) as temporary:
            temporary.write_text(json.dumps(owner) + "\n", encoding="utf-8")
    return lock


def _owner(folder: Path) -> str:
    try:
        owner = read_json(folder / OWNER)
        return f"process {owner['process']} on {owner['machine']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
