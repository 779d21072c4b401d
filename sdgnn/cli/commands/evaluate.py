"""Errors of a model on label sets, beside Heisenberg models fitted to labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sdgnn.cli.commands.console import say, timed, warn
from sdgnn.cli.commands.floors import ensembles_of, with_floors
from sdgnn.cli.config.commands import EvaluateConfig
from sdgnn.cli.config.locality import LabelFloorConfig
from sdgnn.cli.results import open_results
from sdgnn.common.errors import UserError
from sdgnn.common.files import write_json
from sdgnn.data import LabelSet, read_all
from sdgnn.data.solvers import build
from sdgnn.nn import Model, load
from sdgnn.nn.images import too_small
from sdgnn.train import Comparison, baselines_on, compare_all
from sdgnn.train.binding import bind, electrons_of, other_electrons
from sdgnn.train.held_out import not_held_out


def evaluate_model(config: EvaluateConfig, json_path: Path | None = None, resume: bool = False) -> Path:
    """Evaluate into a results folder and return it; the numbers go to ``json_path`` too.

    The JSON holds one entry per label set, or folder of label sets: the network's metrics, in ``rows`` those of every
    field, over all states and by protocol, and in ``warnings`` what is said of states that the model was trained on, of
    labels of other electrons, and of lattices smaller than what it sees. With a single entry, the network's metrics
    also stand at the top.
    """
    network = load(config.model)
    sets = [read_all(path) for path in config.data]
    training = [labels for path in config.training for labels in read_all(path)]
    results = open_results(config, "evaluate", resume)
    dtype = torch.float32 if config.precision == "float32" else torch.float64
    say(repr(network))
    content: dict[str, Any] = {"model": config.model, "physics": repr(network), "sets": []}
    for path, parts in zip(config.data, sets, strict=True):
        more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
        with timed(f"{path}: {parts[0]!r}{more}"):
            errors = compare_network(network, parts, training or parts, dtype, config.floor)
        say(errors.table(title=str(path)))
        doubts = list(dict.fromkeys(text for labels in parts for text in doubts_about(network, labels, dtype)))
        warn(doubts)
        if not training:
            say("Heisenberg models are fitted to the states that judge them; training=[LABELS] fits them to others")
        rows = errors.to_dict()
        own = {row["field"]: row for row in rows if row["protocol"] == "all"}
        hashes = [labels.content_hash for labels in parts]
        labels_hash = hashes[0] if len(hashes) == 1 else hashes
        entry = {"data": str(path), "labels_hash": labels_hash, **own["network"], "rows": rows, "warnings": doubts}
        content["sets"].append(entry)
    if len(sets) == 1:
        content |= own["network"]
    results.write_json("errors.json", content)
    if json_path is not None:
        write_json(json_path, content)
    say(f"errors: {results.path}")
    return results.path


def doubts_about(network: Model, labels: LabelSet, dtype: torch.dtype) -> list[str]:
    """Warnings about labels that judge ``network``: trained on, of other electrons, on too small a lattice."""
    field, other = bind(network, labels, dtype), other_electrons(network, electrons_of(labels.origin), "the labels")
    return [*not_held_out(network, labels), *other, *too_small(field, "labels")]


def compare_network(
    network: Model,
    sets: Sequence[LabelSet],
    training: Sequence[LabelSet],
    dtype: torch.dtype = torch.float32,
    floor: LabelFloorConfig | None = None,
) -> Comparison:
    """The network and the Heisenberg models fitted to ``training``, all judged on the label sets together.

    With ``floor``, beside them the locality floor. Raises UserError where that is asked for and the labels'
    Hamiltonian is not known, or of several lattices.
    """
    exact = None
    if floor is not None:
        if len(sets) > 1:
            raise UserError(
                f"the floor of {len(sets)} lattices together", allowed="one label set", fix="use floor=null"
            )
        lattice = sets[0].lattice if floor.size is None else sets[0].lattice.resized(*floor.size)
        exact = build(sets[0].origin, lattice)
    others = baselines_on(training, [labels.lattice for labels in sets])
    fields = [{"network": bind(network, labels, dtype), **fitted} for labels, fitted in zip(sets, others, strict=True)]
    errors = compare_all(list(zip(fields, sets, strict=True)))
    if floor is None or exact is None:
        return errors
    return with_floors(errors, fields[0], sets[0], exact, ensembles_of(sets[0]), floor)
