"""What a model's file says, and what two of them differ in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sdgnn.common.differences import entries
from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, content_hash, file_hash, write_json
from sdgnn.electrons.levels import Level
from sdgnn.nn import Model, load
from sdgnn.nn.committee import Committee
from sdgnn.nn.storage.load import file_of
from sdgnn.nn.storage.model_file import SUFFIX, read_model

DIGITS = 12
"""Digits of a hash that are shown; the JSON file has all."""
MADE = ("sdgnn", "commit", "created", "python", "libraries", "machine")
"""Entries of a model's provenance that say with what it was made."""
TOLD_ELSEWHERE = ("file", "hash", "arrays")
"""Entries of a record that differ wherever anything does, or that the weights tell."""
REPEATED = ("network", "physics", "scales")
"""Entries of a training that follow from settings and labels."""


def show_model(name: str, level: Level | None = None, json_path: Path | None = None) -> None:
    """Print what there is to know of a model, and write it to a JSON file where one is named.

    Raises UserError as :func:`sdgnn.load` does, and where the file's provenance is damaged.
    """
    model = load(name, level)
    with _readable(name):
        said = record(model, file_of(name, level))
        shown = [f"{key:12} {text}" for key, text in lines(model, said)]
    if json_path is not None:
        write_json(json_path, said)
    print("\n".join([f"{name}: {model!r}", *shown]))


def compare_models(first: str, second: str) -> None:
    """Print the entries in which two models differ, settings and training before weights; raises as above."""
    models = [load(name) for name in (first, second)]
    told = []
    for name, model in zip((first, second), models, strict=True):
        with _readable(name):
            told.append(_compared(record(model, file_of(name))))
        print(f"{name}: {model!r}")
    (one, other), (ours, theirs) = told, models
    found = [*entries(one, other), *weights_apart(ours, theirs)]
    for entry in found or ["no difference: the same settings, training and weights"]:
        print(f"  {entry}")


def record(model: Model, file: Path | None) -> dict[str, Any]:
    """Plain values for what a model is: settings, lattice family, sizes, training, versions, and its file."""
    provenance = dict(model.provenance)
    metrics = dict(provenance.pop("metrics", {}))
    family = model.family
    said: dict[str, Any] = {
        "settings": model.settings.model_dump(),
        "members": len(model.models) if isinstance(model, Committee) else None,
        "lattice": family.to_dict() if family.is_crystal else {"name": family.name},
        "cutoff": float(model.cutoff),
        "halo": 2 * float(model.cutoff),
        "weights": model.n_parameters,
        "arrays": {name: [_dtype(array), list(array.shape)] for name, array in model.state_dict().items()},
        "run": metrics.get("run", {}),
        "trained on": [_judged(one, one["lattice"]) for one in metrics.get("training", ())],
        "validated on": [_judged(one["rows"][0], one["lattice"]) for one in metrics.get("validation", ())],
        "made": {key: provenance.pop(key, None) for key in MADE},
        **provenance,
        "hash": content_hash(*_contents(model)),
    }
    if file is not None:
        header = read_model(file)[0] if file.suffix == SUFFIX else {}
        said["file"] = {
            "path": str(file), "bytes": file.stat().st_size, "sha256": file_hash(file),
            "format": header.get("format"), "sdgnn": header.get("sdgnn"),
        }  # fmt: skip
    return said


def lines(model: Model, said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A record for people: names, and what stands beside them."""
    yield "electrons", "any, or not known" if model.electrons is None else repr(model.electrons)
    yield "lattice", f"{model.family.name}, of any size"
    if said["settings"].get("level") is not None:
        yield "level", said["settings"]["level"]
    yield "sees", f"spins within {said['cutoff']:.4g} for its energy, {said['halo']:.4g} for its field (the halo)"
    yield "weights", f"{said['weights']} in {len(said['arrays'])} arrays; hash {said['hash'][:DIGITS]}"
    yield from _training(said)
    made = said["made"]
    if made["created"] is not None:
        commit = str(made["commit"] or "unknown")[:DIGITS]
        libraries = ", ".join(f"{name} {version}" for name, version in (made["libraries"] or {}).items())
        yield "made", f"{made['created']} with sdgnn {made['sdgnn']}, commit {commit}, Python {made['python']}"
        yield "", libraries
    if "file" in said:
        file = said["file"]
        yield "file", f"{file['path']}, {file['bytes'] / 1e3:.1f} kB, format {file['format']}"
        yield "", f"sha256 {file['sha256']}"


def _training(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Label sets and outcome of a training, or of a calibration."""
    training = said.get("training")
    if isinstance(training, dict):
        yield "training", ", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in said["run"].items())
        for name, key in (("trained on", "training"), ("validated on", "validation")):
            for one, labels in zip(said[name], training.get(key, ()), strict=False):
                yield name, f"{_text(one)}; hash {labels[:DIGITS]}"
    elif "calibration" in said:
        for one in said["calibration"]["families"]:
            yield "calibrated on", f"{one['states']} states, {one['family']}: torque R² {one['calibrated']:.4f}"
        yield "", f"hash {said['labels'][:DIGITS]}"
    else:
        yield "training", "none: nothing learned" if said["weights"] <= 1 else "not recorded"


def weights_apart(first: Model, second: Model) -> Iterator[str]:
    """How far arrays of the same shape are apart, and which are there in one model alone."""
    ours, theirs = first.state_dict(), second.state_dict()
    for name in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(name), theirs.get(name)
        if a is None or b is None or a.shape != b.shape:
            yield f"{name} {_shape(a)} and {_shape(b)}"
        elif not bool((a == b).all()):
            apart, size = (float(values.double().square().mean().sqrt()) for values in (a - b, a))
            yield f"{name} differs by {apart:.3g} where the first has {size:.3g} (root mean squares)"


def _compared(said: dict[str, Any]) -> dict[str, Any]:
    """A record without what only repeats other entries of it, label sets in words."""
    kept = {key: value for key, value in said.items() if key not in TOLD_ELSEWHERE}
    kept |= {key: [_text(one) for one in said[key]] for key in ("trained on", "validated on")}
    if isinstance(kept.get("training"), dict):
        kept["training"] = {key: value for key, value in kept["training"].items() if key not in REPEATED}
    return kept


def _text(one: dict[str, Any]) -> str:
    return f"{one['states']} states of {one['lattice']}, torque R² {one['torque_r2']:.4f}"


def _judged(numbers: dict[str, Any], lattice: str) -> dict[str, Any]:
    """What is shown of the metrics of a label set."""
    states, r2 = int(numbers["n_states"]), float(numbers["torque_r2"])
    return {"lattice": lattice.partition(":")[0], "states": states, "torque_r2": r2}


def _contents(model: Model) -> Iterator[np.ndarray | str]:
    for name, array in sorted(model.state_dict().items()):
        yield name
        yield array.detach().cpu().numpy()


def _dtype(array: Tensor) -> str:
    return str(array.dtype).removeprefix("torch.")


def _shape(array: Tensor | None) -> str:
    return "absent" if array is None else f"of shape {tuple(array.shape)}"


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Raises UserError where the provenance of a model, which is anything that its file says, cannot be read."""
    try:
        yield
    except UserError:
        raise
    except PARSER_ERRORS as error:
        raise UserError(
            f"{name}: a provenance that cannot be read ({error})", allowed="models saved by sdgnn"
        ) from error
