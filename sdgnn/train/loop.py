"""Training a network on labels: the loop, its folder of results, and resuming it exactly."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.differences import differences
from sdgnn.common.errors import LabelsWarning, UserError
from sdgnn.common.files import read_json, write_json, writing
from sdgnn.common.locking import sole_writer
from sdgnn.common.processes import first_alone, is_first, together
from sdgnn.common.provenance import provenance
from sdgnn.data import LabelSet
from sdgnn.nn import Model, Network
from sdgnn.nn.images import too_small
from sdgnn.train.baselines import baselines_on, compare
from sdgnn.train.binding import bind
from sdgnn.train.curves import Logger
from sdgnn.train.held_out import seen_record, shared_states
from sdgnn.train.metrics import judge, judge_all, not_empty
from sdgnn.train.objective import Objective, Scales
from sdgnn.train.settings import TrainSettings
from sdgnn.train.sum_rule import check_sum_rule
from sdgnn.train.training import LAST, Training

Kind = TypeVar("Kind", bound=Model)

LOOKED_AT = 200
"""States of each label set, about, that a model looks at before training."""


def fit(
    network: Kind,
    training: Sequence[LabelSet],
    validation: Sequence[LabelSet],
    settings: TrainSettings,
    folder: str | os.PathLike[str],
    resume: bool = False,
    progress: bool = False,
    logger: Logger | None = None,
) -> Kind:
    """Train ``network`` in place and return it with the averaged weights of the best validation torque R^2.

    Where no epoch is better than the network was before, it is returned as it was; ``best_epoch`` is then 0.

    Minimises :class:`~sdgnn.train.objective.Objective` with AdamW. Label sets may live on several lattices of the
    network's family. ``folder`` receives

    ===================== ==========================================================================================
    settings.json         settings, versions, Hamiltonian and content hashes of the labels, names of their states,
                          scales of the loss, and the same of an earlier training of this network
    metrics.json          final metrics on every label set; for validation sets, by protocol and next to the
                          Heisenberg models fitted to the training sets
    model.safetensors     the trained network
    tensorboard/          torque R^2, torque RMSE, energy RMSE, angle error, loss, learning rate; with
                          ``pip install 'sdgnn[train]'``
    checkpoints/          ``last`` and ``best`` training states
    ===================== ==========================================================================================

    Checkpoints are safetensors files with a JSON header, never pickles, so reading one runs no code. One is written
    atomically after every epoch. With ``resume``, a run that was stopped or killed goes on from the last one and ends
    exactly, bit for bit, as an uninterrupted one on the same machine: order of the states, moving average, schedule and
    early stopping included. The settings (but ``minutes``) and labels must be those of the first call. A folder
    without a checkpoint starts from the beginning.

    A ``logger`` of Lightning, or any object with its methods (:class:`~sdgnn.train.curves.Logger`), is told the
    settings and the same curves as TensorBoard:

        from lightning.pytorch.loggers import CSVLogger

        fit(network, training, validation, TrainSettings(), "model", logger=CSVLogger("logs"))

    Raises UserError on empty labels, labels without torque, labels that no rotation-invariant energy has
    (:mod:`~sdgnn.train.sum_rule`), labels of several Hamiltonians, lattices of another family than the network's, a
    folder that already holds a training (unless ``resume``) or that another process writes into, settings or labels
    that differ from those of the run to be resumed, and a loss that is no longer finite. Warns (LabelsWarning) of
    validation states that are trained on, and of lattices smaller than what the network sees.
    """
    if logger is not None and not isinstance(logger, Logger):
        raise UserError(
            f"logger {logger!r}",
            allowed="a logger of Lightning, or an object with log_metrics(metrics, step) and log_hyperparams(params)",
        )
    folder = Path(folder)
    training, validation = list(training), list(validation)
    _check(network, training, validation)
    if settings.minutes is not None and together():
        raise UserError("minutes of a training on several processes, whose clocks differ", allowed="epochs alone")
    small = [too_small(bind(network, labels), f"training on {labels!r}") for labels in training]
    for text in [*dict.fromkeys(chain(*small)), *shared_states(training, validation)]:
        warnings.warn(text, LabelsWarning, stacklevel=2)
    scales = Scales.of(training)
    record = {
        "settings": settings.model_dump(),
        "network": network.settings.model_dump(),
        "physics": _physics(network, training + validation),
        "training": [labels.content_hash for labels in training],
        "validation": [labels.content_hash for labels in validation],
        "seen": seen_record(training, validation),
        "scales": {name: getattr(scales, name) for name in ("torque", "longitudinal", "energy")},
        "before": network.provenance.get("training"),
    }
    with ExitStack() as held:
        with first_alone() as mine:
            if mine:
                held.enter_context(sole_writer(folder))
                _open(folder, record, resume)
        start = time.monotonic()
        with writing(folder, "free space and go on with resume; the last checkpoint is intact"):
            outcome = _run(network, training, validation, settings, scales, folder, progress and is_first(), logger)
        outcome |= {"seconds": round(time.monotonic() - start, 1)}
        with first_alone() as mine:
            if mine:
                _finish(network, training, validation, folder, record, outcome)
    return network


def _run(
    network: Model, training: list[LabelSet], validation: list[LabelSet], settings: TrainSettings, scales: Scales,
    folder: Path, progress: bool, logger: Logger | None,
) -> dict[str, Any]:  # fmt: skip
    """Train, load the best averaged weights into ``network``, and say how it went."""
    network.look([(bind(network, labels), _some(labels).float()) for labels in training])
    fit_constant(network, training)
    untrained = {name: weight.clone() for name, weight in network.state_dict().items()}
    before = judge_all([(bind(network, labels, settings.torch_dtype), labels) for labels in validation]).torque_r2
    objective = Objective(scales, settings.torque_weight, settings.longitudinal_weight, settings.energy_weight)
    run = Training(network, objective, settings, training, validation, folder)
    run.run(progress, logger)
    best = max(run.scores)
    network.cpu().load_state_dict(run.best_weights() if best > before else untrained)
    fit_constant(network, training)
    return {
        "epochs": len(run.scores),
        "steps": len(run.scores) * run.steps_per_epoch,
        "best_epoch": run.best_epoch if best > before else 0,
        "best_validation_torque_r2": max(best, before),
    }


def _finish(
    network: Model, training: list[LabelSet], validation: list[LabelSet], folder: Path, record: dict[str, Any],
    outcome: dict[str, Any],
) -> None:  # fmt: skip
    """Judge the network, write metrics and model."""
    report: dict[str, Any] = {"run": outcome, "training": [], "validation": []}
    for labels in training:
        metrics = judge(bind(network, labels), labels)
        report["training"].append({"lattice": repr(labels.lattice), **metrics.to_dict()})
    others = baselines_on(training, [labels.lattice for labels in validation])
    for labels, fitted in zip(validation, others, strict=True):
        fields = {"network": bind(network, labels), **fitted}
        report["validation"].append({"lattice": repr(labels.lattice), "rows": compare(fields, labels).to_dict()})
    network.save(folder / "model.safetensors", {**provenance(), "training": record, "metrics": report})
    write_json(folder / "metrics.json", report)


def _some(labels: LabelSet) -> Float[Tensor, "state site 3"]:
    """States from all parts of a label set."""
    return labels.spins[:: -(-len(labels) // LOOKED_AT)]


def fit_constant(network: Model, sets: Sequence[LabelSet]) -> None:
    """Set the network's constant energy per site to the least-squares optimum over all labels that have energies."""
    shifts = [
        (part.energy - field(part.spins).energy.to(torch.float64)) / labels.lattice.n_sites
        for labels, field in ((labels, bind(network, labels)) for labels in sets)
        for part in labels.batches(16)
        if part.energy is not None
    ]
    if shifts:
        with torch.no_grad():
            network.constant.add_(torch.cat(shifts).mean())


def _check(network: Model, training: list[LabelSet], validation: list[LabelSet]) -> None:
    """Raises UserError unless there are labels of the network's lattice family, with torques, in both lists."""
    for what, sets in (("training", training), ("validation", validation)):
        if not sets:
            raise UserError(f"no {what} labels", allowed=f"at least one {what} label set")
        for labels in sets:
            network.check_family(not_empty(labels).lattice)
        Scales.of(sets)
        check_sum_rule(network, sets)


def _without_seed(hamiltonian: dict[str, Any]) -> dict[str, Any]:
    """A Hamiltonian without the seed of its bond disorder."""
    if hamiltonian.get("disorder") is None:
        return hamiltonian
    return {**hamiltonian, "disorder": {k: v for k, v in hamiltonian["disorder"].items() if k != "seed"}}


def _physics(network: Model, sets: list[LabelSet]) -> dict[str, Any]:
    """Hamiltonian, kT and ensemble of the labels. Raises UserError where these differ, but for the realisation of bond
    disorder, unless a network follows the electrons of each set."""
    said = [
        {
            "hamiltonian": _without_seed(labels.origin.hamiltonian),
            **{name: labels.origin.physics[name] for name in ("kT", "filling", "mu")},
        }
        for labels in sets
        if labels.origin.hamiltonian is not None
    ]
    if isinstance(network, Network):
        return {"electrons": [one for k, one in enumerate(said) if one not in said[:k]]}
    for other in said[1:]:
        if different := differences(said[0], other):
            raise UserError(f"label sets with {different}", allowed="labels of one Hamiltonian, kT and ensemble")
    return said[0] if said else {}


def _open(folder: Path, record: dict[str, Any], resume: bool) -> None:
    """Write settings.json into a fresh folder, or check that a run to be resumed is the same."""
    last, settings = folder / LAST, folder / "settings.json"
    if last.exists() and not resume:
        raise UserError(
            f"{folder} already holds a training", allowed="a new folder", fix="resume it, or choose another folder"
        )
    if last.exists() and settings.exists():
        before = read_json(settings)
        for part in ("settings", "network", "training", "validation"):
            there, asked = before[part], record[part]
            if isinstance(asked, dict):
                keys = asked.keys() - {"minutes"}
                there, asked = ({key: one.get(key) for key in keys} for one in (there, asked))
            if changed := differences(there, asked):
                what = part if part in ("settings", "network") else f"{part} labels"
                raise UserError(
                    f"resuming {folder} with other {what}: {changed} (there and asked for)",
                    allowed="the settings (but minutes) and labels of the interrupted run",
                    fix="start a new folder for a different training",
                )
        return
    write_json(settings, {**record, "provenance": provenance()})
