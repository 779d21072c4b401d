"""Networks that were tried beside the package's and not kept: other features, norms, rounds and optimisers.

    python benchmarks/alternatives.py TRAINING.h5 TEST.h5 [--epochs 4] [--only NAME ...]

All take the same labels, one state per step, the objective of :mod:`sdgnn.train.objective`, a warm-up, half a cosine
and an average of the weights. A variant is a network (with its size) and an optimiser. They are written to be short:
seconds compare variants of the same path alone ("boxes" are the package's compiled loops, "tables" tensor operations).
Finished rows are kept in the folder (--folder results/alternatives), one JSON file each, and not trained again.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from alternative_networks import (
    Flags,
    LocalRounds,
    Normed,
    NormedByChannel,
    NormedByIrrep,
    NotNormed,
    Pairs,
    Quadrupoles,
    TwoSided,
    on_tables,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

import sdgnn
from sdgnn.data import LabelSet
from sdgnn.files import atomic_path
from sdgnn.nn import Network, NetworkSettings
from sdgnn.train.binding import bind
from sdgnn.train.loop import fit_constant
from sdgnn.train.metrics import by_protocol, judge
from sdgnn.train.objective import Objective, Scales


class Orthogonal(torch.optim.Optimizer):
    """Muon: steps along the orthogonal factor of the momentum of every matrix (https://kellerjordan.github.io/posts/muon)."""

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["momentum"])
                left, _, right = torch.linalg.svd(weight.grad.lerp(mean, group["momentum"]), full_matrices=False)
                longer = max(1.0, weight.shape[-2] / weight.shape[-1]) ** 0.5
                weight.add_(left @ right, alpha=-group["lr"] * longer)


def adam(network: Network, rate: float, decay: float) -> list[torch.optim.Optimizer]:
    """AdamW."""
    return [torch.optim.AdamW([w for w in network.parameters() if w.requires_grad], lr=rate, weight_decay=decay)]


def muon(network: Network, rate: float, decay: float) -> list[torch.optim.Optimizer]:
    """Muon for the maps between channels, AdamW for the rest."""
    maps = {n: w for n, w in network.named_parameters() if n.endswith(("own.weight", "message.weight", "out.weight"))}
    rest = [w for n, w in network.named_parameters() if n not in maps]
    return [Orthogonal(maps.values(), lr=rate), torch.optim.AdamW(rest, lr=1e-2, weight_decay=decay)]


def soap(network: Network, rate: float, decay: float) -> list[torch.optim.Optimizer]:
    """SOAP (arXiv:2409.11321) of the package pytorch-optimizer, which this row needs installed."""
    from pytorch_optimizer import SOAP  # type: ignore[import-not-found]

    weights = [w for w in network.parameters() if w is not network.constant]
    both = SOAP(weights, lr=rate, weight_decay=decay, betas=(0.9, 0.999), max_precondition_dim=64)
    return [both, torch.optim.AdamW([network.constant], lr=rate)]


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    network: type[Network] = Network
    path: str = "boxes"
    layers: int = 2
    channels: int = 8
    functions: int = 5
    optimizer: Callable[[Network, float, float], list[torch.optim.Optimizer]] = adam
    rate: float = 1e-2
    decay: float = 1e-5
    seed: int = 0


AS_IT_IS = Variant()
VARIANTS = {
    "as it is": AS_IT_IS,
    "another seed": replace(AS_IT_IS, seed=1),
    "a third seed": replace(AS_IT_IS, seed=2),
    "ten functions of S.S'": replace(AS_IT_IS, functions=10),
    "Muon, rate 1e-2": replace(AS_IT_IS, optimizer=muon),
    "Muon, rate 3e-2": replace(AS_IT_IS, optimizer=muon, rate=3e-2),
    "SOAP, rate 1e-2": replace(AS_IT_IS, optimizer=soap),
    "SOAP, rate 3e-3": replace(AS_IT_IS, optimizer=soap, rate=3e-3),
    "norm of the site, as it is": Variant(on_tables(Normed), "tables"),
    "no norm": Variant(on_tables(NotNormed), "tables"),
    "norm of each channel": Variant(on_tables(NormedByChannel), "tables"),
    "norm of each irrep": Variant(on_tables(NormedByIrrep), "tables"),
    "l = 2": Variant(Quadrupoles, "tables"),
    "four layers, two without messages": Variant(LocalRounds, layers=4),
    "flags": Variant(Flags, "tables"),
    "flags, 4 channels": Variant(Flags, "tables", channels=4),
    "products on both sides": Variant(TwoSided, "tables"),
    "pairs, 3 layers": Variant(Pairs, "tables", layers=3),
    "three layers, as it is": Variant(layers=3),
}


def train(network: Network, labels: LabelSet, variant: Variant, epochs: int) -> float:
    """Train, leave the averaged weights, and return the seconds of processor time."""
    field, steps = bind(network, labels), epochs * len(labels)
    fit_constant(network, [labels])
    objective = Objective(Scales.of([labels]), torque=1.0, longitudinal=0.01, energy=1e-3)
    optimizers = variant.optimizer(network, variant.rate, variant.decay)
    rise = 0.05 * steps
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            one,
            lambda n: min((n + 1) / (rise + 1), 0.505 + 0.495 * math.cos(math.pi * max(0, n - rise) / (steps - rise))),
        )
        for one in optimizers
    ]
    mean = copy.deepcopy(network.state_dict())
    generator = torch.Generator().manual_seed(variant.seed)
    order = torch.cat([torch.randperm(len(labels), generator=generator) for _ in range(epochs)]).tolist()
    assert labels.energy is not None
    start = time.process_time()
    for n, k in enumerate(track(order, "training")):
        spins, true, energy = (x[[k]].float() for x in (labels.spins, labels.field, labels.energy))
        loss, _ = objective(network.potentials(field), spins, network.constant, true, energy)
        for one in optimizers:
            one.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for one, schedule in zip(optimizers, schedules, strict=True):
            one.step()
            schedule.step()
        for key, weight in network.state_dict().items():
            if weight.is_floating_point():
                mean[key].lerp_(weight, 1 - min(0.999, (1 + n) / (10 + n)))
    network.load_state_dict(mean)
    fit_constant(network, [labels])
    return time.process_time() - start


def row(variant: Variant, training: LabelSet, test: LabelSet, epochs: int) -> dict[str, Any]:
    """Train a variant and judge it on every protocol of the test labels."""
    settings = NetworkSettings(layers=variant.layers, channels=variant.channels, bond_functions=variant.functions)
    network = variant.network(settings, training.lattice, seed=variant.seed)
    weights = sum(w.numel() for w in network.parameters() if w.requires_grad)
    seconds = train(network, training, variant, epochs)
    errors = {name: judge(network.on(test.lattice), part).torque_r2 for name, part in by_protocol(test)}
    return {"path": variant.path, "weights": weights, "seconds": seconds, "torque_r2": errors}


def file_name(variant: str) -> str:
    """The name of a row without what files cannot be called."""
    return "".join(c if c.isalnum() else "-" for c in variant)


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path, help="labels to train on")
    parser.add_argument("test", type=Path, help="fresh labels")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path("results/alternatives"))
    given = parser.parse_args()
    torch.set_num_threads(1)

    training, test = LabelSet.read(given.training), LabelSet.read(given.test)
    training, _ = training.split([0.95, 0.05], seed=0)
    table = Table(title=f"{given.epochs} epochs of {len(training)} states; torque R²")
    for column in ("", "path", "weights", *(name for name, _ in by_protocol(test)), "CPU s"):
        table.add_column(column, justify="right" if column not in ("", "path") else "left")
    for name, variant in VARIANTS.items():
        kept = given.folder / str(given.epochs) / f"{file_name(name)}.json"
        if name in given.only and not kept.exists():
            found = row(variant, training, test, given.epochs)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(kept) as temporary:
                temporary.write_text(json.dumps({"variant": name, "version": sdgnn.__version__, **found}, indent=2))
        if kept.exists():
            read = json.loads(kept.read_text())
            errors = (f"{value:.3f}" for value in read["torque_r2"].values())
            table.add_row(read["variant"], read["path"], f"{read['weights']:,}", *errors, f"{read['seconds']:.0f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
