"""Model files: one safetensors file whose header holds settings, lattice family and provenance as JSON.

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
import os
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, atomic_path, where_else
from sdgnn.common.names import nearest
from sdgnn.common.provenance import package_version
from sdgnn.electrons.levels import Level
from sdgnn.electrons.truncated import LEVELS
from sdgnn.lattice import Lattice
from sdgnn.nn.kinds import create
from sdgnn.nn.model import Model
from sdgnn.nn.settings import NetworkSettings, Settings

FORMAT = 2
"""Version of the layout that is written; all earlier ones are read."""
SUFFIX = ".safetensors"
UNIVERSAL = "universal"
"""Name of the network that knows any electrons."""
SHIPPED = Path(__file__).with_name("models")
"""Folder of the models that come with the package."""


def save(network: Model, path: Path, provenance: dict[str, Any] | None) -> Path:
    """Write a model atomically to a ``.safetensors`` file, or into a folder as ``model.safetensors``."""
    from safetensors.torch import save_file

    if provenance is not None:
        network.provenance = provenance
    path = path if path.suffix == SUFFIX else path / f"model{SUFFIX}"
    header = {
        "format": FORMAT,
        "sdgnn": package_version(),
        "settings": network.settings.model_dump(),
        "lattice": network.family.to_dict(),
        "units": "hopping t_1 = 1, |S| = 1",
        "provenance": network.provenance,
    }
    weights = {name: weight.detach().cpu().contiguous() for name, weight in network.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(weights, temporary, metadata={"sdgnn": json.dumps(header, allow_nan=False)})
    return path


@torch.inference_mode(False)
def load(name_or_path: str | os.PathLike[str], level: Level | None = None) -> Model:
    """A model from a file, from a results folder that holds ``model.safetensors``, or a shipped model by its name.

    Shipped models come at two levels, ``fast`` (the default) and ``accurate``; ``universal`` is that of any electrons,
    which learned nothing. A folder that holds ``committee.json`` gives a :class:`~sdgnn.nn.committee.Committee`.

        sdgnn.load("triangular-tetrahedral").on(sdgnn.Lattice.triangular(96, 96))
        sdgnn.load("universal", level="accurate").on(model, kT=0.1, filling=0.25)

    Raises UserError on a missing or damaged file, a newer format, weights that do not fit the settings, and a level
    other than these two or of a model that is not shipped.
    """
    if level is not None and level not in LEVELS:
        raise UserError(f"level {level!r}", allowed=" or ".join(map(repr, LEVELS)))
    if str(name_or_path) == UNIVERSAL:
        return create(NetworkSettings(level=level or "fast", hidden=None), Lattice.square(2, 2))
    if level is not None and f"{name_or_path}-{level}" in shipped():
        name_or_path = f"{name_or_path}-{level}"
    elif level is not None and (level != "fast" or str(name_or_path) not in shipped()):
        raise UserError(f"level {level!r} of {name_or_path!s}", allowed=f"levels of {', '.join(names())}")
    if (Path(name_or_path) / "committee.json").is_file():
        from sdgnn.nn.committee import Committee

        return Committee.load(name_or_path)
    path = _find(name_or_path)
    header, weights = _read(path)
    try:
        if int(header["format"]) > FORMAT:
            raise UserError(
                f"{path} of format {header['format']}", allowed=f"formats up to {FORMAT}", fix="install a newer sdgnn"
            )
        settings, family = _settings(header), Lattice.from_dict(header["lattice"])
        with torch.device("meta"):  # shapes without numbers
            expected = {key: w.shape for key, w in create(settings, family).state_dict().items()}
        if expected != {key: w.shape for key, w in weights.items()}:
            raise UserError(f"{path}: weights that do not fit its settings", fix="save the model again")
        if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
            raise UserError(f"{path}: weights that are not finite", fix="train the model again")
        network = create(settings, family)
        network.provenance = dict(header["provenance"])
        network.load_state_dict(weights)
    except UserError:
        raise
    except PARSER_ERRORS as error:
        raise UserError(f"{path}: a header that cannot be read ({error})", allowed="models saved by sdgnn") from error
    return network


def _settings(header: dict[str, Any]) -> Settings:
    given = dict(header["settings"])
    if int(header["format"]) == 1 and given.get("kind", "network") == "network":
        given["kind"] = "equivariant"
    return TypeAdapter(Settings).validate_python(given)


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    path = Path(name_or_path)
    for candidate in (path, path / f"model{SUFFIX}", SHIPPED / f"{name_or_path}{SUFFIX}"):
        if candidate.is_file():
            return candidate
    near = nearest(str(name_or_path), names())
    raise UserError(
        f"no model at {name_or_path!s}",
        allowed=f"a {SUFFIX} file or a folder with model{SUFFIX}, or one of {', '.join(names())}",
        fix=f"did you mean {near}?" if near else where_else(path, f"*{SUFFIX}", f"*/model{SUFFIX}"),
    )


def shipped() -> list[str]:
    """Model files that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


def names() -> list[str]:
    """Shipped models, each of which has both levels."""
    return [UNIVERSAL, *(name for name in shipped() if not name.endswith("-accurate"))]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["sdgnn"])
            return header, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, *PARSER_ERRORS) as error:
        raise UserError(f"{path} is not a model file ({error})", allowed="models saved by sdgnn") from error
