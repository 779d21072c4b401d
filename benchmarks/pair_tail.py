"""Torque R^2 of truncated fields with couplings of pairs beyond their balls, against exact electrons at weak coupling.

    python benchmarks/pair_tail.py [--exchange 0.3 0.5 1 2 3] [--fillings 0.1 0.3 0.5 0.7 0.9] [--kT 0.03 0.1] [--all]

=========== ==========================================================================================================
tail        couplings of pairs of spins
=========== ==========================================================================================================
none        those inside balls alone
free        of free electrons, second order in J, less the balls' own at second order
medium      in the coherent medium of random spins, less the balls' own among random spins; no vertex corrections
pair_tail   the same with vertex corrections: sdgnn.electrons.truncated.pair_tail
on or off   pair_tail where sdgnn.electrons.truncated.with_pair_tail adds it: where its share is large enough
fitted      by least squares to what balls leave on three exact states of 20 x 20, all kinds of pairs within two cutoffs
=========== ==========================================================================================================

Exact fields are those of the infinite crystal (2 x 2 twists), or of the periodic lattice itself in the row that says
so; states are none that anything was fitted to. Medians and, in brackets, the smallest over lattices, fillings and kT.
``share`` is the part of the squared torque of random spins that pair_tail adds.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import defaultdict
from typing import Any
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import sdgnn
from sdgnn.electrons.ensemble import phases
from sdgnn.electrons.filling import occupations
from sdgnn.electrons.truncated import medium
from sdgnn.electrons.truncated.pair_tail import LEAST, Pairs, PairTail
from sdgnn.train.metrics import torque_part

LATTICES = {"square": sdgnn.Lattice.square, "triangular": sdgnn.Lattice.triangular}
TAILS = ("none", "free", "medium", "pair_tail", "on or off", "fitted")
WEAK = 1e-3
RIDGE = 1e-6
Cases = list[tuple[float, float]]


def noisy(spins: Tensor, size: float) -> Tensor:
    """Spins with Gaussian noise on each component, normalised."""
    noise = torch.from_numpy(np.random.default_rng(3).standard_normal(spins.shape))
    spins = spins + size * noise
    return spins / spins.norm(dim=-1, keepdim=True)


def states(name: str) -> dict[str, tuple[Tensor, int]]:
    """Test states with the twists along each axis."""
    large, small = LATTICES[name](24, 24), LATTICES[name](18, 18)
    order = sdgnn.spins.neel(small) if name == "square" else sdgnn.spins.order120(small)
    orders = {"ferro": sdgnn.spins.ferro(small), "Neel, 120°": order, "stripe": sdgnn.spins.stripe(small)}
    found = {
        "random": (sdgnn.spins.random(large, seed=7), 2),
        "random, periodic": (sdgnn.spins.random(large, seed=8), 1),
    }
    for size, (order_name, spins) in itertools.product((0.3, 1.0), orders.items()):
        found[f"{order_name}, noise {size:g}"] = noisy(spins, size), 2
    return found


def exact_fields(model: sdgnn.SDModel, spins: Tensor, twists: int, cases: Cases) -> list[Tensor]:
    """Exact fields (site, 3) of one state at each (filling, kT), from one diagonalisation for each twist."""
    solved = [torch.linalg.eigh(model.matrix(spins, twist)[0]) for twist in phases((twists,) * model.lattice.dim)]
    levels = torch.cat([levels for levels, _ in solved])[None]
    f = torch.stack([occupations(levels, kT, filling=filling).f[0] for filling, kT in cases])
    total = torch.zeros(len(cases), model.lattice.n_sites, 3, dtype=torch.float64)
    for share, (_, vectors) in zip(f.chunk(len(solved), dim=1), solved, strict=True):
        up, down = vectors[0::2], vectors[1::2]
        mixed = down * up.conj()
        parts = (2 * mixed.real, 2 * mixed.imag, up.abs() ** 2 - down.abs() ** 2)
        total += torch.stack([share @ part.T for part in parts], dim=-1)
    return list(model.exchange * total / len(solved))


def free_tail(field: sdgnn.TruncatedField) -> PairTail:
    """Second order in J of free electrons, less that of the balls: the tail for J -> 0, scaled."""
    model = field.model
    numbers: dict[str, Any] = {"cutoff": field.cutoff, "moments": field.moments}
    weak = sdgnn.SDModel(model.lattice, model.hopping, WEAK)
    tail = PairTail.of(sdgnn.TruncatedField(weak, field.kT, filling=field.filling, **numbers))
    return PairTail(model.lattice, tail.couplings * (model.exchange / WEAK) ** 2)


def fitted_tail(field: sdgnn.TruncatedField, spins: list[Tensor], exact: list[Tensor]) -> PairTail:
    """Least squares to what balls leave on exact states, of couplings of all kinds of pairs within two cutoffs."""
    units = list(Pairs.of(field).unit_fields)
    near = field.on(sdgnn.Lattice.crystal(field.lattice.vectors, field.lattice.basis, (20, 20), field.lattice.name))
    rows, left = [], []
    for state, true in zip(spins, exact, strict=True):
        rows.append(torch.stack([torque_part(u.on(near.lattice)(state).field, state).flatten() for u in units]))
        left.append(torque_part(true[None] - near(state).field, state).flatten())
    a, b = torch.cat(rows, dim=1), torch.cat(left)
    gram = a @ a.T
    values = torch.linalg.solve(gram + RIDGE * gram.trace() / len(gram) * torch.eye(len(gram)), a @ b)
    return PairTail(field.lattice, sum(v * u.couplings for v, u in zip(values.tolist(), units, strict=True)))


def tails(field: sdgnn.TruncatedField, spins: list[Tensor], exact: list[Tensor]) -> dict[str, PairTail | None]:
    """Every design for one field."""
    with mock.patch.object(medium, "LADDER", 0.0):
        plain = PairTail.of(field)
    chosen = PairTail.of(field)
    assert chosen.share is not None
    return {
        "none": None, "free": free_tail(field), "medium": plain, "pair_tail": chosen,
        "on or off": chosen if chosen.share >= LEAST else None, "fitted": fitted_tail(field, spins, exact),
    }  # fmt: skip


def r_squared(field: Tensor, true: Tensor, spins: Tensor) -> float:
    """1 - squared torque error / squared torque."""
    error, torque = torque_part(field - true, spins), torque_part(true, spins)
    return float(1 - error.square().sum() / torque.square().sum())


def main() -> None:
    """Make exact states, judge every tail and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchange", type=float, nargs="+", default=[0.3, 0.5, 1.0, 2.0, 3.0])
    parser.add_argument("--fillings", type=float, nargs="+", default=[0.1, 0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--kT", type=float, nargs="+", default=[0.03, 0.1])
    parser.add_argument("--level", default="fast")
    parser.add_argument("--all", action="store_true", help="print every filling and kT as well")
    given = parser.parse_args()
    cases = list(itertools.product(given.fillings, given.kT))
    console = Console(width=150)
    for exchange in given.exchange:
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        shares: list[float] = []
        for name, make in LATTICES.items():
            fit_spins = [sdgnn.spins.random(make(20, 20), seed=100 + k) for k in range(3)]
            near = sdgnn.SDModel(make(20, 20), exchange=exchange)
            fit_exact = [exact_fields(near, spins, 2, cases) for spins in fit_spins]
            tests = {}
            for state, (spins, twists) in states(name).items():
                length = math.isqrt(spins.shape[1])
                model = sdgnn.SDModel(make(length, length), exchange=exchange)
                tests[state] = spins, exact_fields(model, spins, twists, cases)
            for k, (filling, kT) in enumerate(cases):
                field = sdgnn.TruncatedField(near, kT=kT, filling=filling, level=given.level)
                every = tails(field, fit_spins, [exact[k] for exact in fit_exact])
                chosen = every["pair_tail"]
                assert chosen is not None and chosen.share is not None
                shares.append(chosen.share)
                for state, (spins, exact) in tests.items():
                    length = math.isqrt(spins.shape[1])
                    alone = field.on(make(length, length))(spins).field
                    scores = {}
                    for design, tail in every.items():
                        more = 0.0 if tail is None else tail.on(make(length, length))(spins).field
                        scores[design] = r_squared(alone + more, exact[k][None], spins)
                        found[state][design].append(scores[design])
                    if given.all:
                        line = "  ".join(f"{design} {score:7.3f}" for design, score in scores.items())
                        print(f"J {exchange:g} {name:10s} filling {filling:g} kT {kT:g} {state:22s} {line}", flush=True)
        title = f"J = {exchange:g}; share {min(shares):.4f} to {max(shares):.4f}, median {np.median(shares):.4f}"
        table = Table("state", *TAILS, title=title)
        for state, by_tail in found.items():
            table.add_row(state, *[f"{np.median(by_tail[t]):.3f} ({min(by_tail[t]):.3f})" for t in TAILS])
        console.print(table)


if __name__ == "__main__":
    main()
