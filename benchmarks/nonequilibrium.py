"""Networks of one energy and of two on labels that are no gradients, and on labels in equilibrium.

    python benchmarks/nonequilibrium.py [--fields equilibrium baths ...] [--states 48] [--epochs 25] [--channels 6]

Square lattice, s-d electrons with J = 3 and kT = 0.1; random states of 8 x 8 sites train and choose the weights, of
12 x 12 sites judge. Torques alone are learned. Prints, for each field, its circulation, 0 for the gradient of an
energy; the circulations of its part that is odd under time reversal and of S x its even part, both 0 where two energies
can hold it; and a table of

    R²          of the torque on the held-out states
    R² even     of its part that is even under time reversal, (T(S) + T(-S)) / 2; - where the labels have none
    S x G_B     root mean square of the second energy's torque over that of the labels
    CPU s       CPU time of the training
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.data import LabelSet
from sdgnn.electrons import LaggingElectrons
from sdgnn.fields import Alignment, DampingLike, Field, FieldResult, SpinTransfer
from sdgnn.fields.schedules import Time
from sdgnn.fields.testing import circulation
from sdgnn.nn import EquivariantSettings, Settings, create
from sdgnn.nn.baselines.two_energies import TwoEnergiesField
from sdgnn.nn.settings import TwoEnergiesSettings
from sdgnn.train import TrainSettings, fit, torque_part

TRAINING, HELD_OUT = sdgnn.Lattice.square(8, 8), sdgnn.Lattice.square(12, 12)
ROUNDING = 1e-9
"""Circulation that counts as none."""
EVEN = 1e-6
"""Part of the torque below which its even part counts as none."""


def labelled_by(name: str, lattice: sdgnn.Lattice) -> Field:
    """The fields by their names."""
    model = sdgnn.SDModel(lattice, exchange=3.0)
    electrons = sdgnn.ExactField(model, kT=0.1, mu=-3.0)
    match name:
        case "equilibrium":
            return electrons
        case "baths":
            return electrons + DampingLike(sdgnn.ExactField(model, kT=0.1, mu=-2.0), strength=-1.0)
        case "lagging":
            return LaggingElectrons(model, kT=0.1, mu=-3.0, rate=0.3)
        case "alignment":
            return Alignment(lattice, coupling=1.0)
        case _:
            return electrons + SpinTransfer(lattice, drift=(0.1, 0.0), beta=0.1)


def labels(field: Field, states: int, seed: int) -> LabelSet:
    """Random states with their fields, without energies."""
    spins = sdgnn.spins.random(field.lattice, states, seed)
    return LabelSet(field.lattice, spins, field(spins).field)


class Half(Field):
    """(H(S) + sign H(-S)) / 2: the part of a field that is even (sign 1) or odd (-1) under time reversal."""

    def __init__(self, field: Field, sign: int) -> None:
        self.lattice, self.field, self.sign = field.lattice, field, sign

    def evaluate(self, spins: torch.Tensor, time: Time) -> FieldResult:
        here, there = self.field.evaluate(spins, time), self.field.evaluate(-spins, time)
        return FieldResult(here.energy, (here.field + self.sign * there.field) / 2)


def paths(field: Field) -> str:
    """Circulations of a field and of its parts."""
    spins = sdgnn.spins.random(field.lattice, 4, seed=5)
    parts = {"circulation": field, "odd part": Half(field, -1), "S x even part": DampingLike(Half(field, 1), 1.0)}
    whole, found = field(spins).field.norm(), []
    for name, part in parts.items():
        there = float(part(spins).field.norm() / whole) > EVEN
        value = float(circulation(part, spins, size=0.05).abs().max()) if there else 0.0
        found.append(f"{name} {value:.0e}" if value > ROUNDING else f"{name} 0")
    return ", ".join(found)


def torques(field: Field, spins: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Torque parts T(S), and (T(S) + T(-S)) / 2."""
    here, there = (torque_part(field(s).field.double(), s) for s in (spins, -spins))
    return here, (here + there) / 2


def r2(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """1 - sum |d|^2 / sum |wanted|^2."""
    return 1 - float((found - wanted).square().sum() / wanted.square().sum())


def row(name: str, settings: Settings, given: argparse.Namespace, field: Field, training: LabelSet) -> list[str]:
    """Train one network on ``training``, judge it by ``field``."""
    network = create(settings, TRAINING, seed=1)
    network.torques_cancel = False  # on purpose: one energy, too, is judged on labels that no energy has
    plan = TrainSettings(epochs=given.epochs, ema=0.98, longitudinal_weight=0.0, energy_weight=0.0, device="cpu")
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        most, rest = training.split((0.9, 0.1), seed=0)
        fit(network, [most], [rest], plan, folder)
    seconds = time.process_time() - start
    spins, bound = sdgnn.spins.random(HELD_OUT, given.held_out, seed=90), network.on(HELD_OUT)
    wanted, even = torques(field, spins)
    found, found_even = torques(bound, spins)
    has_even = float(even.norm() / wanted.norm()) > EVEN
    second = "-"
    if isinstance(bound, TwoEnergiesField):
        turned = torch.linalg.cross(spins, bound.parts[1](spins).field.double())
        second = f"{float(turned.norm() / wanted.norm()):.3f}"
    return [
        name, f"{r2(found, wanted):.4f}", f"{r2(found_even, even):.4f}" if has_even else "-", second,
        str(network.n_parameters), f"{seconds:.0f}",
    ]  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["equilibrium", "baths", "lagging", "alignment", "current"]
    parser.add_argument("--fields", nargs="+", choices=names, default=names)
    parser.add_argument("--states", type=int, default=48, help="labelled states, a tenth of which choose the weights")
    parser.add_argument("--held-out", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--channels", type=int, default=6)
    parser.add_argument("--wider", type=int, default=9, help="channels of one energy with as many weights as two")
    given = parser.parse_args()

    for name in given.fields:
        training = labels(labelled_by(name, TRAINING), given.states, seed=0)
        field = labelled_by(name, HELD_OUT)
        table = Table(title=f"{name}: {paths(labelled_by(name, TRAINING))}", title_justify="left")
        for column in ("model", "R²", "R² even", "S x G_B", "weights", "CPU s"):
            table.add_column(column, justify="left" if column == "model" else "right")
        size: dict[str, Any] = {"layers": given.layers, "channels": given.channels}
        kinds: dict[str, Settings] = {
            "one energy": EquivariantSettings(**size),
            "one energy, wider": EquivariantSettings(layers=given.layers, channels=given.wider),
            "two energies": TwoEnergiesSettings(**size),
        }
        for kind, settings in kinds.items():
            table.add_row(*row(kind, settings, given, field, training))
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
