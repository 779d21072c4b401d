"""Training checkpoints that are tensors and plain text: reading one can run no code, writing one is atomic."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path

VERSION = 1
"""Version of the checkpoint format."""


class SafetensorsIO(CheckpointIO):
    """Lightning's training state (weights, average, optimizer, schedule, loops, callbacks) as one safetensors file.

    Tensors are stored as such; the nested dictionaries, lists and plain values around them as JSON in the header, where
    a tensor is the entry ``{"tensor": name}``. No pickle is involved in either direction.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the nested dictionary. Raises TypeError on a value that is neither a tensor nor plain."""
        from safetensors.torch import save_file

        tensors: dict[str, Tensor] = {}
        tree = _encode(checkpoint, tensors, "checkpoint")
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={"format": str(VERSION), "tree": json.dumps(tree)})

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read it back, every tensor on the CPU. Raises UserError when the file is no checkpoint of this kind."""
        return read(path)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete the file if it is there."""
        Path(path).unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The nested dictionary in a checkpoint file. Raises UserError when it is missing, damaged or of another kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != str(VERSION):
                raise UserError(f"{path} has checkpoint format {header.get('format')}", allowed=f"format {VERSION}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
            return _decode(json.loads(header["tree"]), tensors)
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            f"{path} cannot be read as a training checkpoint ({error})",
            allowed="a checkpoint written by training",
            fix="delete it to start this training again",
        ) from error


def _encode(value: Any, tensors: dict[str, Tensor], where: str) -> Any:
    """``value`` as JSON, its tensors moved to ``tensors``."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[_encode(k, tensors, where), _encode(v, tensors, f"{where}.{k}")] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(v, tensors, f"{where}.{k}") for k, v in enumerate(value)]}
    raise TypeError(f"{where} is a {type(value).__name__}, which a checkpoint cannot hold")


def _decode(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Inverse of :func:`_encode`."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_decode(k, tensors): _decode(v, tensors) for k, v in content}
    items = [_decode(v, tensors) for v in content]
    return items if kind == "list" else tuple(items)


def weights(path: str | os.PathLike[str], prefix: str) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint whose names start with ``prefix``, which is taken off."""
    state: dict[str, torch.Tensor] = read(path)["state_dict"]
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
