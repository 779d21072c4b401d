"""Training checkpoints: tensors by name and a JSON header in one safetensors file, written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path

FORMAT = 2
"""Version of the format; trainings that were begun with version 1 can no longer be gone on with."""


def write(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write copies of ``tensors`` and what JSON can hold. Raises UserError when the disk is full."""
    metadata = {"format": str(FORMAT), "header": json.dumps(header)}
    with atomic_path(path) as temporary:
        copies = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
        save_file(copies, temporary, metadata=metadata)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, on the CPU, and header of a file that :func:`write` wrote; no code in the file is run.

    Raises UserError when the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
            if found.get("format") != str(FORMAT):
                raise UserError(
                    f"{path} has checkpoint format {found.get('format')}", allowed=f"format {FORMAT}",
                    fix="end this training with the version that began it, or start it again in a new folder",
                )  # fmt: skip
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(found["header"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            f"{path} cannot be read as a training checkpoint ({error})",
            allowed="a checkpoint written by training",
            fix="delete it to start this training again",
        ) from error
