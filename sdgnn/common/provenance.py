"""What makes a result repeatable: versions, commit, date and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from sdgnn.common.version import VERSION

LIBRARIES = ("torch", "numpy", "scipy", "e3nn", "h5py", "zarr")
"""Packages whose versions can change numbers or files."""
COMPUTING = ("torch", "numba", "numpy")
"""Packages that do what takes time."""


def now() -> str:
    """Date and time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> str | None:
    """Commit of the source tree the package runs from, ``-modified`` appended when files differ; None if unknown."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}-modified" if changed else head


def provenance() -> dict[str, Any]:
    """Plain text and numbers to keep beside a result (labels, model, run).

    Keys: ``sdgnn`` (version), ``commit``, ``created`` (UTC), ``python``, ``libraries`` (name to version), ``machine``
    (processor architecture, system, cores, accelerator or None). No host or user name.
    """
    import torch

    return {
        "sdgnn": VERSION,
        "commit": commit(),
        "created": now(),
        "python": platform.python_version(),
        "libraries": versions(LIBRARIES),
        "machine": {
            "architecture": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
            "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        },
    }


def plain_versions() -> str:
    """The versions of this package, of Python and of the packages that compute, for a person to pass on."""
    found = versions(COMPUTING)
    return "\n".join(
        [f"sdgnn {VERSION}", f"Python {platform.python_version()}", *(f"{k} {v}" for k, v in found.items())]
    )


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed, by name."""
    found = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _git(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
