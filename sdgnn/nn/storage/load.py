"""Models by the kind of their settings, from files, folders and the names of those that come with the package."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, where_else
from sdgnn.common.names import did_you_mean
from sdgnn.electrons.levels import LEVELS, Level
from sdgnn.lattice import Lattice
from sdgnn.nn.baselines.behler_parrinello import BehlerParrinello
from sdgnn.nn.baselines.distances import Distances
from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.baselines.two_energies import TwoEnergies
from sdgnn.nn.committee import RECORD, Committee, read_record
from sdgnn.nn.model import Model
from sdgnn.nn.network import Network
from sdgnn.nn.settings import NetworkSettings, Settings
from sdgnn.nn.storage.model_file import SUFFIX, read_model

KINDS: dict[str, Callable[[Any, Lattice, int], Model]] = {
    "network": Network,
    "equivariant": EquivariantNetwork,
    "two-energies": TwoEnergies,
    "distances": Distances,
    "behler-parrinello": BehlerParrinello,
}
"""Models by the ``kind`` of their settings."""
UNIVERSAL = "universal"
"""Name of the network of any electrons."""
SHIPPED = Path(__file__).parents[1] / "models"
"""Folder of the models that come with the package."""


@torch.inference_mode(False)
def create(settings: Settings, lattice: Lattice, seed: int = 0) -> Model:
    """A model of the kind that ``settings`` describe for the family of ``lattice``, initial weights from ``seed``.

    Raises UserError on lattices that this kind does not take.
    """
    return KINDS[settings.kind](settings, lattice, seed)


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
    file = file_of(name_or_path, level)
    if file is None:
        return Network(NetworkSettings(level=level or "fast", hidden=None), Lattice.square(2, 2))
    return load_committee(file.parent) if file.name == RECORD else _from_file(file)


def file_of(name_or_path: str | os.PathLike[str], level: Level | None = None) -> Path | None:
    """The file from which :func:`load` reads a model, ``committee.json`` of a committee; None of ``universal``.

    Raises UserError where there is none, and on levels as :func:`load` does.
    """
    if level is not None and level not in LEVELS:
        raise UserError(f"level {level!r}", allowed=" or ".join(map(repr, LEVELS)))
    if str(name_or_path) == UNIVERSAL:
        return None
    if level is not None and f"{name_or_path}-{level}" in shipped():
        name_or_path = f"{name_or_path}-{level}"
    elif level is not None and (level != "fast" or str(name_or_path) not in shipped()):
        raise UserError(f"level {level!r} of {name_or_path!s}", allowed=f"levels of {', '.join(names())}")
    committee = Path(name_or_path) / RECORD
    return committee if committee.is_file() else _find(name_or_path)


def load_committee(folder: Path) -> Committee:
    """The committee in a folder. Raises UserError on files that are missing, damaged or of a newer format."""
    files, calibration, provenance = read_record(folder)
    committee = Committee([load(file) for file in files], calibration)
    committee.provenance = provenance
    return committee


def _from_file(path: Path) -> Model:
    """The model that a file holds. Raises UserError as :func:`load` does."""
    header, weights = read_model(path)
    try:
        settings: Settings = TypeAdapter(Settings).validate_python(header["settings"])
        family = Lattice.from_dict(header["lattice"])
        with torch.device("meta"):  # shapes without numbers
            expected = {key: w.shape for key, w in create(settings, family).state_dict().items()}
        if expected != {key: w.shape for key, w in weights.items()}:
            raise UserError(f"{path}: weights that do not fit its settings", fix="save the model again")
        if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
            raise UserError(f"{path}: weights that are not finite", fix="train the model again")
        model = create(settings, family)
        model.provenance = dict(header["provenance"])
        model.load_state_dict(weights)
    except UserError:
        raise
    except PARSER_ERRORS as error:
        raise UserError(f"{path}: a header that cannot be read ({error})", allowed="models saved by sdgnn") from error
    return model


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a model. Raises UserError where there is none."""
    path = Path(name_or_path)
    for candidate in (path, path / f"model{SUFFIX}", SHIPPED / f"{name_or_path}{SUFFIX}"):
        if candidate.is_file():
            return candidate
    raise UserError(
        f"no model at {name_or_path!s}",
        allowed=f"a {SUFFIX} file or a folder with model{SUFFIX}, or one of {', '.join(names())}",
        fix=did_you_mean(str(name_or_path), names()) or where_else(path, f"*{SUFFIX}", f"*/model{SUFFIX}"),
    )


def shipped() -> list[str]:
    """Names of the model files that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


def names() -> list[str]:
    """Names of the shipped models, each of which has both levels."""
    return [UNIVERSAL, *(name for name in shipped() if not name.endswith("-accurate"))]
