"""Errors of a model on label sets, beside Heisenberg models fitted to labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sdgnn.commands.console import console, say, timed
from sdgnn.commands.floors import families_of, with_floors
from sdgnn.config.commands import EvaluateConfig
from sdgnn.config.locality import LabelFloorConfig
from sdgnn.data import LabelSet
from sdgnn.data.solvers import build
from sdgnn.files import atomic_path
from sdgnn.nn import Model, load
from sdgnn.results import open_results
from sdgnn.train import Comparison, baselines, compare


def run(config: EvaluateConfig, json_path: Path | None = None, resume: bool = False) -> Path:
    """Evaluate into a results folder and return it; the numbers go to ``json_path`` too.

    The JSON holds one entry per label set: the network's metrics, and in ``rows`` those of every field, over all states
    and by protocol. With a single label set, the network's metrics also stand at the top.
    """
    network = load(config.model)
    sets = [LabelSet.read(path) for path in config.data]
    training = [LabelSet.read(path) for path in config.training]
    results = open_results(config, "evaluate", config.output, resume)
    dtype = torch.float32 if config.precision == "float32" else torch.float64
    content: dict[str, Any] = {"model": config.model, "sets": []}
    for path, labels in zip(config.data, sets, strict=True):
        with timed(f"{path}: {labels!r}"):
            errors = compare_network(network, labels, training or [labels], dtype, config.floor)
        console.print(errors.table(title=str(path)))
        rows = errors.to_dict()
        own = {row["field"]: row for row in rows if row["protocol"] == "all"}
        entry = {"data": str(path), "labels_hash": labels.content_hash, **own["network"], "rows": rows}
        content["sets"].append(entry)
    if len(sets) == 1:
        content |= own["network"]
    results.write_json("errors.json", content)
    if json_path is not None:
        with atomic_path(json_path) as temporary:
            temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    say(f"errors: {results.path}")
    return results.path


def compare_network(
    network: Model,
    labels: LabelSet,
    training: Sequence[LabelSet],
    dtype: torch.dtype = torch.float32,
    floor: LabelFloorConfig | None = None,
) -> Comparison:
    """The network and the 1- and 5-shell Heisenberg models fitted to ``training``, all judged on ``labels``.

    With ``floor``, beside them the locality floor. Raises UserError where that is asked for and the labels'
    Hamiltonian is not known.
    """
    exact = None
    if floor is not None:
        lattice = labels.lattice if floor.size is None else labels.lattice.resized(*floor.size)
        exact = build(labels.origin, lattice)
    fields = {"network": network.on(labels.lattice, dtype=dtype), **baselines(training, labels.lattice)}
    errors = compare(fields, labels)
    if floor is None or exact is None:
        return errors
    return with_floors(errors, fields, labels, exact, families_of(labels), floor)
