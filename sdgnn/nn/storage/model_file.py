"""The format of model files: one safetensors file of weights whose header is JSON.

Reading a file runs no code from it. The header's entry ``sdgnn`` is a JSON object with

=============== ====================================================================================
key             meaning
=============== ====================================================================================
format          version of this layout, an integer
settings        of :mod:`sdgnn.nn.settings`, ``kind`` among them
lattice         lattice family: primitive vectors, basis (and the size it was made with)
units           ``hopping t_1 = 1, |S| = 1``
provenance      versions, training data hash, Hamiltonian, metrics: whatever the trainer gave
=============== ====================================================================================

In format 1, ``kind`` is absent or ``network`` where format 2 says ``equivariant``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, atomic_path
from sdgnn.common.version import VERSION

FORMAT = 2
"""Version of the layout that is written; all earlier ones are read."""
SUFFIX = ".safetensors"
"""How names of model files end."""


def write_model(path: Path, header: dict[str, Any], weights: dict[str, Tensor]) -> Path:
    """Write weights and header, completed by format, version and units, atomically to a ``.safetensors`` file, or into
    a folder as ``model.safetensors``; the file's path."""
    from safetensors.torch import save_file

    path = path if path.suffix == SUFFIX else path / f"model{SUFFIX}"
    header = {"format": FORMAT, "sdgnn": VERSION, "units": "hopping t_1 = 1, |S| = 1", **header}
    tensors = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"sdgnn": json.dumps(header, allow_nan=False)})
    return path


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header, as in the newest format, and weights. Raises UserError on damaged files and on a newer format."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["sdgnn"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        version, settings = int(header["format"]), dict(header["settings"])
    except (SafetensorError, *PARSER_ERRORS) as error:
        raise UserError(f"{path} is not a model file ({error})", allowed="models saved by sdgnn") from error
    if version > FORMAT:
        raise UserError(f"{path} of format {version}", allowed=f"formats up to {FORMAT}", fix="install a newer sdgnn")
    if version == 1 and settings.get("kind", "network") == "network":
        settings["kind"] = "equivariant"
    return {**header, "settings": settings}, weights
