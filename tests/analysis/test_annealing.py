"""Annealing in the exact field finds the order of lowest energy from random spins; cases are those of the benchmark."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdgnn import analysis

ORDERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "orders.py")))


@pytest.mark.parametrize("name", ["neel", "order120", "tetrahedral", pytest.param("skyrmions", marks=pytest.mark.slow)])
def test_annealing_reaches_the_state_of_lowest_energy(name: str) -> None:
    case = ORDERS.cases()[name]
    competitors = {
        other: ORDERS.relaxed(case, state) if other in case.relaxed else state
        for other, state in case.competitors.items()
    }
    energies = {other: float(case.field(state).energy) / case.lattice.n_sites for other, state in competitors.items()}
    expected = min(energies, key=lambda other: energies[other])
    assert expected == next(iter(case.competitors))  # the order that the case is named for
    spins = ORDERS.annealed(case, replicas=2, seed=0)
    energy = case.field(spins).energy / case.lattice.n_sites
    others = min(value for other, value in energies.items() if other != expected)
    assert float(energy.min()) < others - 0.5 * (others - energies[expected])
    assert float(energy.min()) == pytest.approx(energies[expected], abs=2e-4)  # what is left of noise in kT = 0.0005
    best = spins[int(energy.argmin())][None]
    weight = float(analysis.bragg_weight(competitors[expected], case.lattice, case.peaks))
    assert float(analysis.bragg_weight(best, case.lattice, case.peaks)) == pytest.approx(weight, rel=0.02)
    if name == "tetrahedral":
        assert float(analysis.mean_absolute_chirality(best, case.lattice)) > 0.9 * 4 / 27**0.5
    if name == "skyrmions":
        assert float(analysis.skyrmion_number(best, case.lattice)) == pytest.approx(-4, abs=1e-6)
