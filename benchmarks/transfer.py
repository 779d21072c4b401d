"""Torque error of a network against the size of the lattice that it is used on, and of those that it was trained on.

    python benchmarks/transfer.py use MODEL [--sizes 24 48 96 192]
    python benchmarks/transfer.py train [--sizes 6 8 12 16 24] [--size 48]

``use``: labels by kernel polynomials on lattices of the model's family, of random states and of states along its own
quench, for the Hamiltonian, temperature and filling of its labels. ``train``: networks on exact labels of lattices of
several sizes (triangular, J = 3, filling 1/4, electrons at kT = 0.05), with the same number of labelled sites in all
and in each step, judged on the same larger lattice. The noise of the reference is part of every error.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.data import NoisyOrder, Random, generate
from sdgnn.electrons import KPMField
from sdgnn.nn import EquivariantNetwork, EquivariantSettings
from sdgnn.train import TrainSettings, fit
from sdgnn.train.metrics import torque_part

VECTORS, MOMENTS = 288, 500


def states(model: Any, lattice: sdgnn.Lattice, seed: int) -> dict[str, torch.Tensor]:
    """Random spins, and spins after 50 and 150 hbar / t of a quench by the model."""
    bath = sdgnn.Heun(dt=1.0, damping=0.5, kT=0.003)
    field = model.on(lattice)
    early = sdgnn.simulate(
        field, sdgnn.spins.random(lattice, 1, seed, torch.float32), bath, 50, seed=seed, observers=[]
    )
    late = sdgnn.simulate(field, early.spins, bath, 100, seed=seed + 1, observers=[])
    return {
        "random": sdgnn.spins.random(lattice, 1, seed),
        "quench, t = 50": early.spins.double(),
        "quench, t = 150": late.spins.double(),
    }


def judge(model: Any, reference: KPMField, spins: torch.Tensor) -> tuple[float, float, float]:
    """R^2 of the torque, root mean square error of a component, and that of the reference by its own estimate."""
    exact = reference(spins)
    torque = torque_part(exact.field, spins).double()
    error = torque_part(model.on(reference.lattice)(spins.float()).field.double(), spins) - torque
    assert exact.torque_error is not None
    noise = float(exact.torque_error.square().mean().sqrt())
    return 1 - float(error.square().sum() / torque.square().sum()), float(error.square().mean().sqrt()), noise


def reference(physics: dict[str, Any], lattice: sdgnn.Lattice) -> KPMField:
    """Kernel polynomials for the electrons of a label set, on another lattice."""
    electrons = sdgnn.SDModel(lattice, **physics["hamiltonian"])
    return KPMField(
        electrons, physics["kT"], physics["mu"], physics["filling"], moments=MOMENTS, vectors=VECTORS,
        dtype=torch.float32,
    )  # fmt: skip


def use(given: argparse.Namespace) -> None:
    """The table of sizes that a model is used on."""
    model = sdgnn.load(given.model)
    physics = model.provenance["training"]["physics"]
    table = Table("lattice", "states", "R²", "error (t)", "reference's own (t)", title=repr(model))
    for size in given.sizes:
        lattice = model.family.resized(size, size)
        for name, spins in states(model, lattice, given.seed).items():
            r2, error, noise = judge(model, reference(physics, lattice), spins)
            table.add_row(f"{size} x {size}", name, f"{r2:.4f}", f"{error:.5f}", f"{noise:.5f}")
    Console(width=110).print(table)


def train(given: argparse.Namespace) -> None:
    """The table of sizes that networks are trained on."""
    title = f"{given.sites} labelled sites, {given.epochs} epochs; judged on {given.size} x {given.size}"
    table = Table("trained on", "number", "states", "R²", "error (t)", title=title)
    driver = sdgnn.load("triangular-tetrahedral")
    largest = max(given.sizes) ** 2
    for size in given.sizes:
        lattice = sdgnn.Lattice.triangular(size, size)
        exact = sdgnn.ExactField(sdgnn.SDModel(lattice, exchange=3.0), kT=0.05, filling=0.25)
        count = given.sites // lattice.n_sites
        noisy = NoisyOrder(order="tetrahedral", strengths=(0.3, 0.6, 1.0), states=max(1, count // 12))
        protocols = [Random(states=count - 3 * noisy.states), noisy]
        labels = generate(exact, protocols, f"{given.output}/{size}.h5", workers=given.workers, resume=True)
        training, validation = labels.split([0.95, 0.05], seed=0)
        network = EquivariantNetwork(EquivariantSettings(layers=2, channels=8), lattice, seed=0)
        settings = TrainSettings(epochs=given.epochs, batch=max(1, round(largest / lattice.n_sites)), weight_decay=0.1)
        model = fit(network, [training], [validation], settings, f"{given.output}/{size}", resume=True)
        judged = lattice.resized(given.size, given.size)
        for name, spins in states(driver, judged, given.seed).items():
            r2, error, _ = judge(model, reference(labels.origin.physics, judged), spins)
            table.add_row(f"{size} x {size}", str(len(training)), name, f"{r2:.4f}", f"{error:.5f}")
    Console(width=110).print(table)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    kinds = parser.add_subparsers(required=True)
    using = kinds.add_parser("use", help="one model on growing lattices")
    using.add_argument("model", help="trained network: folder, file or shipped name")
    using.add_argument("--sizes", type=int, nargs="+", default=[24, 48, 96, 192])
    using.set_defaults(run=use)
    training = kinds.add_parser("train", help="networks trained on lattices of several sizes")
    training.add_argument("--sizes", type=int, nargs="+", default=[6, 8, 12, 16, 24])
    training.add_argument("--size", type=int, default=48, help="of the lattice that judges them")
    training.add_argument("--sites", type=int, default=150_000, help="labelled sites that each network is trained on")
    training.add_argument("--epochs", type=int, default=6)
    training.add_argument("--workers", type=int, default=1, help="processes that label")
    training.add_argument("--output", default="results/transfer", help="folder of labels and networks")
    training.set_defaults(run=train)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
