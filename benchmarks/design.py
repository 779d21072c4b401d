"""What each part of the network and of its training is worth: the same training with one part changed or held at zero.

    python benchmarks/design.py TRAINING.h5 TEST.h5 [--layers 2] [--channels 8] [--epochs 8] [--only NAME ...]

Parts of the network are taken out by weights that start at zero and stay there, so every variant is the same code. A
part of the training labels chooses the best weights; the test labels choose nothing. Finished rows are kept in the
folder (--folder results/design), one JSON file each, and not trained again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.data import LabelSet
from sdgnn.files import atomic_path
from sdgnn.nn import Network, NetworkSettings
from sdgnn.train import TrainSettings, fit
from sdgnn.train.metrics import by_protocol, judge

Mask = Callable[[str, torch.Tensor], None]
"""Sets to zero, in a tensor of ones as large as the weight of this name, what the variant does without."""


def forgetful(name: str, mask: torch.Tensor) -> None:
    """No directions between layers: only the constant lattice harmonic enters layers after the first."""
    if (
        name.startswith("layers.")
        and not name.startswith("layers.0.")
        and name.endswith(("own.weight", "message.weight"))
    ):
        mask[:, 1:] = 0


def pairs_alone(name: str, mask: torch.Tensor) -> None:
    """Products A B without A B C."""
    if name.endswith("out.weight"):
        mask[:, :, mask.shape[2] // 2 :] = 0


def spins_alone(name: str, mask: torch.Tensor) -> None:
    """Features 0e and 1o alone, without 0o (chiralities) and 1e (S x S')."""
    if name.endswith(("own.weight", "message.weight", "out.weight")):
        mask[[1, 3]] = 0
    if name == "embedding":
        mask[3] = 0


def constant_bonds(name: str, mask: torch.Tensor) -> None:
    """Messages that are not weighed by functions of S_i . S_j."""
    if name.endswith(".bond"):
        mask[1:] = 0


def polynomial_bonds(name: str, mask: torch.Tensor) -> None:
    """Messages and first features without sqrt((1 + S_i . S_j) / 2), by polynomials alone."""
    if name.endswith(".bond"):
        mask[-1] = 0
    if name == "embedding":
        mask[:, -1] = 0


def open_gates(name: str, mask: torch.Tensor) -> None:
    """No gates."""
    if name.endswith((".gate", "gate_bias")):
        mask[:] = 0


def linear_readout(name: str, mask: torch.Tensor) -> None:
    """Energies linear in the scalars, without the hidden layer of the readout."""
    if name.startswith("readouts.") and name.endswith(".out"):
        mask[:] = 0


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    mask: Mask | None = None
    training: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "as it is": Variant(),
    "directions forgotten between layers": Variant(forgetful),
    "no triple products": Variant(pairs_alone),
    "no chiralities, no S x S'": Variant(spins_alone),
    "messages without functions of S.S'": Variant(constant_bonds),
    "those functions without the root": Variant(polynomial_bonds),
    "no gates": Variant(open_gates),
    "linear readout": Variant(linear_readout),
    "no average of weights": Variant(training={"ema": 0.0}),
    "rate 3e-3": Variant(training={"learning_rate": 3e-3}),
    "rate 3e-2": Variant(training={"learning_rate": 3e-2}),
    "four states per step": Variant(training={"batch": 4}),
    "weight decay 0.1": Variant(training={"weight_decay": 0.1}),
    "energies weighed 0.1": Variant(training={"energy_weight": 0.1}),
    "trained in float64": Variant(training={"dtype": "float64"}),
}


def take_out(network: Network, mask: Mask) -> int:
    """Set what the mask leaves out to zero, for good, and return the number of weights that remain."""
    left = 0
    for name, weight in network.named_parameters():
        kept = torch.ones_like(weight)
        mask(name, kept)
        with torch.no_grad():
            weight.mul_(kept)
        weight.register_hook(lambda slope, kept=kept: slope * kept)
        left += int(kept.sum())
    return left


def row(
    variant: Variant, training: LabelSet, test: LabelSet, given: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Train a variant and judge it on every protocol of the test labels."""
    chosen, choosing = training.split([0.95, 0.05], seed=0)
    network = Network(NetworkSettings(layers=given.layers, channels=given.channels), training.lattice, seed=0)
    weights = network.n_parameters if variant.mask is None else take_out(network, variant.mask)
    start = time.process_time()
    fit(network, [chosen], [choosing], TrainSettings(epochs=given.epochs, **variant.training), folder, progress=True)
    seconds = time.process_time() - start
    errors = {name: judge(network.on(test.lattice), part).torque_r2 for name, part in by_protocol(test)}
    return {"weights": weights, "seconds": seconds, "torque_r2": errors}


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path, help="labels to train on")
    parser.add_argument("test", type=Path, help="fresh labels")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path("results/design"))
    given = parser.parse_args()
    torch.set_num_threads(1)

    training, test = LabelSet.read(given.training), LabelSet.read(given.test)
    table = Table(title=f"{given.layers} layers of {given.channels} channels, {given.epochs} epochs; torque R²")
    for column in ("", "weights", *(name for name, _ in by_protocol(test)), "CPU s"):
        table.add_column(column, justify="right" if column else "left")
    for name, variant in VARIANTS.items():
        folder = (
            given.folder
            / f"{given.layers}x{given.channels}-{given.epochs}"
            / "".join(c if c.isalnum() else "-" for c in name)
        )
        kept = folder / "row.json"
        if name not in given.only and not kept.exists():
            continue
        if not kept.exists():
            found = row(variant, training, test, given, folder / "training")
            with atomic_path(kept) as temporary:
                temporary.write_text(json.dumps({"variant": name, "version": sdgnn.__version__, **found}, indent=2))
        read = json.loads(kept.read_text())
        errors = (f"{value:.3f}" for value in read["torque_r2"].values())
        table.add_row(read["variant"], f"{read['weights']:,}", *errors, f"{read['seconds']:.0f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
