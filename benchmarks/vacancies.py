"""Torque R^2 of a trained network on crystals with vacancies, on sites that lost a neighbour and on the others.

    python benchmarks/vacancies.py MODEL [--size 12 12] [--vacancies 0 1 7 14 36] [--lattices 6]

Exact labels are made on the spot, one random state on each of several lattices with vacancies at random places, for the
Hamiltonian, temperature and filling of the model's own labels.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.train.metrics import torque_part


def squares(model: sdgnn.nn.Model, lattice: sdgnn.Lattice, seed: int) -> torch.Tensor:
    """(2, 2): squared torque errors and squared torques (rows), beside a vacancy and elsewhere (columns)."""
    physics = model.provenance["training"]["physics"]
    electrons = sdgnn.SDModel(lattice, **physics["hamiltonian"])
    exact = sdgnn.ExactField(electrons, kT=physics["kT"], filling=physics["filling"], mu=physics["mu"])
    spins = sdgnn.spins.random(lattice, seed=seed)
    true = torque_part(exact(spins).field, spins)
    error = torque_part(model.on(lattice, torch.float64)(spins).field, spins) - true
    neighbours = np.bincount(lattice.bonds_within(1.0).source, minlength=lattice.n_sites)
    full = len(model.family.bonds(1)) // model.family.n_sites
    beside = torch.from_numpy(neighbours < full)
    return torch.stack(
        [torch.stack([part[0, where].square().sum() for where in (beside, ~beside)]) for part in (error, true)]
    )


def main() -> None:
    """Judge the model and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="trained network: folder, file or shipped name")
    parser.add_argument("--size", type=int, nargs="+", default=[12, 12], metavar="L")
    parser.add_argument("--vacancies", type=int, nargs="+", default=[0, 1, 7, 14, 36])
    parser.add_argument("--lattices", type=int, default=6, help="lattices with each number of vacancies")
    given = parser.parse_args()

    model = sdgnn.load(given.model)
    whole = model.family.resized(*given.size)
    table = Table(title=f"{model!r}; {whole.n_sites} sites")
    for column in ("vacancies", "R² beside", "R² elsewhere", "R²"):
        table.add_column(column, justify="right")
    for count in given.vacancies:
        total = torch.zeros(2, 2, dtype=torch.float64)
        for seed in range(given.lattices):
            taken = np.random.default_rng([seed, count]).choice(whole.n_sites, count, replace=False)
            total += squares(model, whole.without(taken) if count else whole, seed)
        beside, elsewhere = (1 - total[0] / total[1]).tolist()
        everywhere = float(1 - total[0].sum() / total[1].sum())
        table.add_row(str(count), f"{beside:.3f}" if count else "", f"{elsewhere:.3f}", f"{everywhere:.3f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
