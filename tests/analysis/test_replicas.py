"""Means are over replicas of the same settings: kT, damping, schedules, driving fields, or what a user adds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import agreement, analyze, coarsening, dynamical_structure_factor, equilibrium, replica_groups
from sdgnn.analysis.orders.density import densities
from sdgnn.analysis.trajectories import averaged
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Heun, observers, simulate
from sdgnn.fields import Heisenberg, Zeeman
from sdgnn.fields.schedules import Quench, Sweep

LATTICE = Lattice.triangular(4, 4)
FERRO = Heisenberg(LATTICE, [1.0])


def run(integrator, field=FERRO, steps=40, every=10, replicas=4):
    spins = sdgnn.spins.ferro(LATTICE, replicas=replicas)
    watch = [observers.energy(every), observers.spins(every), observers.magnetization(every)]
    return simulate(field, spins, integrator, steps, observers=watch).trajectory


@pytest.fixture(scope="module")
def mixed():
    """Two replicas of a cold bath, two of a hot one, in turns."""
    return run(Heun(dt=0.02, damping=0.5, kT=(0.01, 0.6, 0.01, 0.6)))


def test_cold_and_hot_are_never_averaged(mixed):
    found = analyze(mixed, LATTICE)
    assert found["setting"].values.tolist() == ["kT = 0.01", "kT = 0.6"]
    assert found["energy_mean"].dims == ("setting", "time") and found["energy"].dims == ("time", "replica")
    energy = mixed["energy"].values
    for k, own in enumerate((energy[:, ::2], energy[:, 1::2])):
        assert np.allclose(found["energy_mean"][k], own.mean(1))
        assert np.allclose(found["energy_error"][k], own.std(1, ddof=1) / math.sqrt(2))
    assert found["magnetization_mean"].dims == ("setting", "time", "component")
    assert found["structure_factor_mean"].dims == ("setting", "time", "wave_vector")
    alone = analyze(mixed.isel(replica=[0, 2]), LATTICE)
    assert alone["energy_mean"].dims == ("time",)
    for name in ("energy_mean", "chirality_error", "structure_factor_mean"):
        assert np.array_equal(alone[name], found[name][0], equal_nan=True), name


def test_every_setting_that_differs_parts_replicas():
    quench = Heun(dt=0.02, damping=0.5, kT=Quench(before=0.5, after=(0.1, 0.1, 0.3, 0.3), at=0.2))
    assert [s.label for s in replica_groups(run(quench))] == ["kT_after = 0.1", "kT_after = 0.3"]
    same = Heun(dt=0.02, damping=0.5, kT=Quench(before=0.5, after=0.1, at=0.2))
    (only,) = replica_groups(run(same))
    assert only.label == "" and only.places == (0, 1, 2, 3) and only.values["kT_at"] == 0.2
    damped = replica_groups(run(Heun(dt=0.02, damping=(0.1, 0.2, 0.1, 0.1), kT=(0.1, 0.1, 0.2, 0.1))))
    assert [s.label for s in damped] == [
        "damping = 0.1, kT = 0.1", "damping = 0.2, kT = 0.1", "damping = 0.1, kT = 0.2",
    ]  # fmt: skip
    assert [s.places for s in damped] == [(0, 3), (1,), (2,)]
    driven = FERRO + Zeeman(LATTICE, (0, 0, 1), Sweep(high=(1.0, 1.0, 2.0, 2.0), low=-1.0, period=4.0))
    assert [s.label for s in replica_groups(run(Heun(dt=0.02, damping=0.5), driven))] == [
        "zeeman_high = 1",
        "zeeman_high = 2",
    ]


def test_runs_that_a_user_puts_together_are_parted_by_what_the_user_says(mixed):
    part = mixed.isel(replica=[0, 2])
    both = xarray.concat([part, part + 1], "replica").assign_coords(exchange=("replica", [1.0, 1.0, 3.0, 3.0]))
    assert [s.label for s in replica_groups(both)] == ["exchange = 1", "exchange = 3"]
    numbered = part.assign_coords(stream=("replica", [7, 8]))
    assert len(replica_groups(numbered)) == 1


def test_a_schedule_that_nobody_tells_is_never_averaged_over(mixed):
    """kT is NaN in runs of early versions whose bath depends on time, and may differ between replicas."""
    early = mixed.assign_coords(kT=("replica", np.full(4, math.nan)))
    assert [s.places for s in replica_groups(early)] == [(0,), (1,), (2,), (3,)]
    assert len({s.label for s in replica_groups(early)}) == 4


def test_equilibrium_and_densities_by_setting(mixed):
    found = equilibrium(mixed)
    assert found["kT"].values.tolist() == [0.01, 0.6] and found["damping"].values.tolist() == [0.5, 0.5]
    assert found["energy_mean"].values == pytest.approx([mixed["energy"].values[1:, k::2].mean() for k in (0, 1)])
    exact = sdgnn.ExactField(sdgnn.SDModel(LATTICE), kT=0.2, filling=0.25)
    electrons = densities(mixed.isel(time=[-1]), exact, LATTICE)
    spread = averaged(electrons[["density_spread"]])
    assert spread["density_spread_mean"].dims == ("setting", "time")
    assert np.allclose(spread["density_spread_mean"][1], electrons["density_spread"][:, 1::2].mean("replica"))


def test_agreement_pairs_equal_settings():
    integrators = [Heun(dt=0.02, damping=0.5, kT=kT) for kT in ((0.01, 0.6, 0.01, 0.6), (0.6, 0.6, 0.01, 0.01), 0.3)]
    one, other, third = (analyze(run(integrator, steps=10), LATTICE) for integrator in integrators)
    found = agreement(one, other)
    assert found["setting"].values.tolist() == ["kT = 0.01", "kT = 0.6"]
    assert np.allclose(found["energy_second"][0], other["energy"].values[:, 2:].mean(1))
    with pytest.raises(UserError, match=r"kT = 0\.01 / kT = 0\.6 with one setting"):
        agreement(one, third)
    assert agreement(third, third).attrs.get("different") is None
    cold = analyze(run(Heun(dt=0.02, damping=0.5, kT=0.01), steps=10), LATTICE)
    assert agreement(cold, third).attrs["different"] == "kT = 0.01 and 0.3"


def test_laws_and_spectra_refuse_several_settings(mixed):
    with pytest.raises(UserError, match=r"2 settings \(kT = 0\.01; kT = 0\.6\)"):
        coarsening(mixed, LATTICE)
    with pytest.raises(UserError, match="a spectrum over replicas of 2 settings"):
        dynamical_structure_factor(mixed, LATTICE, np.zeros((1, 2)), segment=8)
