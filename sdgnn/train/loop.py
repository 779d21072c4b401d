"""Training a network on labels: the loop, its folder of results, and resuming it exactly."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.differences import differences
from sdgnn.common.errors import LabelsWarning, UserError
from sdgnn.common.files import read_json, write_json, writing
from sdgnn.common.locking import sole_writer
from sdgnn.common.processes import first_alone, is_first, number_of_processes, together
from sdgnn.common.provenance import provenance
from sdgnn.data import LabelSet
from sdgnn.nn import Model, Network
from sdgnn.nn.images import too_small
from sdgnn.train.baselines import baselines_on, compare
from sdgnn.train.binding import bind
from sdgnn.train.held_out import seen_record, shared_states
from sdgnn.train.metrics import judge, judge_all, not_empty
from sdgnn.train.objective import Objective, Scales
from sdgnn.train.settings import TrainSettings
from sdgnn.train.sum_rule import check_sum_rule

if TYPE_CHECKING:
    import lightning.pytorch as pl

LOOKED_AT = 200
"""States of each label set, about, that a model looks at before training."""

LAST = Path("checkpoints") / "last.safetensors"
"""The training state that is gone on from, in the folder of a training."""


def fit(
    network: Model,
    training: Sequence[LabelSet],
    validation: Sequence[LabelSet],
    settings: TrainSettings,
    folder: str | os.PathLike[str],
    resume: bool = False,
    progress: bool = False,
) -> Model:
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
    tensorboard/          torque R^2, torque RMSE, energy RMSE, angle error, loss, learning rate
    checkpoints/          ``last`` and ``best`` training states
    ===================== ==========================================================================================

    Checkpoints are safetensors files with a JSON header, never pickles, so reading one runs no code. One is written
    atomically after every epoch. With ``resume``, a run that was stopped or killed goes on from the last one and ends
    exactly, bit for bit, as an uninterrupted one on the same machine: order of the states, moving average, schedule and
    early stopping included. The settings (but ``minutes``) and labels must be those of the first call. A folder
    without a checkpoint starts from the beginning.

    Raises UserError on empty labels, labels without torque, labels that no rotation-invariant energy has
    (:mod:`~sdgnn.train.sum_rule`), labels of several Hamiltonians, lattices of another family than
    the network's, a folder that already holds a training (unless ``resume``) or that another process writes into,
    settings or labels that differ from those of the run to be resumed, and a loss that is no longer finite. Warns
    (LabelsWarning) of validation states that are trained on, and of lattices smaller than what the network sees.
    """
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
        last = folder / LAST if (folder / LAST).exists() else None
        start = time.monotonic()
        with _quiet(), writing(folder, "free space and go on with resume; the last checkpoint is intact"):
            outcome = _run(network, training, validation, settings, scales, folder, last, progress and is_first())
        outcome |= {"seconds": round(time.monotonic() - start, 1)}
        with first_alone() as mine:
            if mine:
                _finish(network, training, validation, folder, record, outcome)
    return network


def _run(
    network: Model, training: list[LabelSet], validation: list[LabelSet], settings: TrainSettings, scales: Scales,
    folder: Path, last: Path | None, progress: bool,
) -> dict[str, Any]:  # fmt: skip
    """Train, load the best averaged weights into ``network``, and say how it went."""
    import lightning.pytorch as pl
    from lightning.fabric.utilities.rank_zero import rank_zero_only
    from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, Timer
    from lightning.pytorch.loggers import TensorBoardLogger
    from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment

    from sdgnn.train import checkpoint
    from sdgnn.train.batches import InOrder, Shuffled, loader
    from sdgnn.train.module import MONITOR, Keep, MovingAverage, ProgressBar, TrainingModule

    processes, rank = number_of_processes()
    order = Shuffled([len(labels) for labels in training], settings.batch, settings.seed, processes, rank)
    objective = Objective(scales, settings.torque_weight, settings.longitudinal_weight, settings.energy_weight)
    network.look([(bind(network, labels), _some(labels).float()) for labels in training])
    fit_constant(network, training)
    untrained = {name: weight.clone() for name, weight in network.state_dict().items()}
    before = judge_all([(bind(network, labels, settings.torch_dtype), labels) for labels in validation])
    limit = timedelta(minutes=settings.minutes) if settings.minutes else None
    timer = Timer(limit, interval="epoch", verbose=False)
    module = TrainingModule(
        network, objective, settings, training, validation, steps=settings.epochs * len(order),
        time_used=lambda: timer.time_elapsed() / limit.total_seconds() if limit else 0.0,
    )  # fmt: skip
    keep = Keep(folder / "checkpoints", before.torque_r2)
    callbacks: list[pl.Callback] = [MovingAverage(settings.ema), LearningRateMonitor("step"), timer, keep]
    if settings.patience is not None:
        callbacks.append(EarlyStopping(MONITOR, patience=settings.patience, mode="max", check_on_train_epoch_end=False))
    if progress:
        callbacks.append(ProgressBar())
    # torchrun alone spreads a training: variables of Slurm, MPI and the like, and RANK left by others, mean nothing
    ranks: Any = rank_zero_only
    ranks.rank = rank
    started_by = TorchElasticEnvironment() if processes > 1 else LightningEnvironment()
    spread = shared_by(processes, all(labels.energy is not None for labels in training))
    trainer = pl.Trainer(
        accelerator=settings.device, max_epochs=settings.epochs, callbacks=callbacks, **spread,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        plugins=[checkpoint.SafetensorsIO(), started_by], gradient_clip_val=settings.clip, num_sanity_val_steps=0,
        log_every_n_steps=10, enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
    )  # fmt: skip
    with _interruptible():
        trainer.fit(
            module,
            loader(training, order, settings.torch_dtype),
            loader(validation, InOrder([len(s) for s in validation], settings.batch), settings.torch_dtype),
            ckpt_path=last,
        )
    network.load_state_dict(untrained if keep.epoch < 0 else checkpoint.weights(keep.best, "network."))
    fit_constant(network.cpu(), training)
    return {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "best_epoch": keep.epoch + 1,
        "best_validation_torque_r2": keep.score,
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
        for part in (labels[start : start + 16] for start in range(0, len(labels), 16))
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
    """Hamiltonian, kT and ensemble of the labels. Raises UserError when known ones differ, but for the realisation of
    bond disorder, unless a network follows the electrons of each set."""
    known = [
        {
            "hamiltonian": _without_seed(labels.origin.hamiltonian),
            **{name: labels.origin.physics[name] for name in ("kT", "filling", "mu")},
        }
        for labels in sets
        if labels.origin.hamiltonian is not None
    ]
    if isinstance(network, Network):
        return {"electrons": [one for k, one in enumerate(known) if one not in known[:k]]}
    for other in known[1:]:
        different = differences(known[0], other)
        if different:
            raise UserError(f"label sets with {different}", allowed="labels of one Hamiltonian, kT and ensemble")
    return known[0] if known else {}


def shared_by(processes: int, all_have_energies: bool) -> dict[str, Any]:
    """How Lightning spreads a training over so many processes; labels without energies leave the constant alone."""
    if processes == 1:
        return {"devices": 1}
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return {
        "devices": here,
        "num_nodes": processes // here,
        "strategy": "ddp" if all_have_energies else "ddp_find_unused_parameters_true",
        "use_distributed_sampler": False,
    }


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
                raise UserError(
                    f"resuming {folder} with other {part}: {changed} (there and asked for)",
                    allowed="the settings (but minutes) and labels of the interrupted run",
                    fix="start a new folder for a different training",
                )
        return
    write_json(settings, {**record, "provenance": provenance()})


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt; Lightning would end the whole program and leave further ones ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stop
        raise
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's remarks on hardware, workers and logging are silenced; errors pass."""
    import lightning.pytorch  # noqa: F401 (sets its own levels when first imported)

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
