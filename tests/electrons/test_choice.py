"""The cheapest numbers for an asked torque error: reached on fresh states, by nothing cheaper that was tried."""

from __future__ import annotations

import pytest
import torch

import sdgnn
from sdgnn import BondDisorder, ExactField, ExponentialHopping, Lattice, SDModel, TruncatedField, spins, suggest_cutoff
from sdgnn.common.errors import UserError
from sdgnn.electrons.truncated import choice as module
from sdgnn.electrons.truncated.balls import crystal_balls
from sdgnn.train.metrics import Tally


def torque_error(model: SDModel, kT: float, numbers: module.Choice, states: torch.Tensor, twists: int) -> float:
    """Independently of the function: root mean square of a component."""
    exact = ExactField(model, kT, filling=0.25, twists=(twists,) * model.lattice.dim)
    field = TruncatedField(model, kT, filling=0.25, cutoff=numbers.cutoff, moments=numbers.moments)
    tally = Tally()
    tally.add(states, field(states).field, exact(states).field)
    return tally.metrics().torque_rmse


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SITES", 36)


def test_asked_error_is_reached_on_fresh_states(small: None) -> None:
    model = SDModel(Lattice.square(64, 64), exchange=4.0)
    found = suggest_cutoff(model, 0.2, filling=0.25, torque_error=0.004)
    assert found.torque_error <= 0.004 == found.asked and found.torque_r2 > 0.9
    assert found.lattice.n_sites == 36 and found.lattice.same_family(model.lattice)
    # 6 states of 36 sites tell an error of mean squares to about a sixth; other states of their kind may differ as much
    fresh = SDModel(Lattice.square(8, 8), exchange=4.0)
    assert torque_error(fresh, 0.2, found, spins.random(fresh.lattice, 2, seed=7), twists=3) < 1.3 * 0.004
    ordered = spins.noisy(spins.neel(fresh.lattice), 0.3, seed=8)
    assert torque_error(fresh, 0.2, found, ordered, twists=3) < 1.3 * 0.004


def test_nothing_cheaper_that_was_tried_reaches_it(small: None) -> None:
    model = SDModel(Lattice.triangular(6, 6), exchange=3.0)
    costly, cheap = (suggest_cutoff(model, 0.2, filling=0.25, torque_error=error) for error in (0.003, 0.01))
    for found in (costly, cheap):
        work = [trial.work for trial in found.tried]
        assert work == sorted(work)
        assert all(trial.torque_error > found.asked for trial in found.tried[:-1])
        last = found.tried[-1]
        assert (last.cutoff, last.moments, last.torque_error) == (found.cutoff, found.moments, found.torque_error)
        field = TruncatedField(model, 0.2, filling=0.25, cutoff=last.cutoff, moments=last.moments)
        (ball,) = crystal_balls(model, last.cutoff, last.moments)
        walks = [channel.steps for channel in field._channels(field._spectrum(1.02)[1], torch.float64)]
        visited = [ball.sizes[min(step, last.cutoff)] for steps in walks for step in range(steps + 1)]
        assert last.work == field.work == sum(visited) / 2
    assert cheap.tried[-1].work < costly.tried[-1].work


def test_states_of_ones_own(small: None) -> None:
    model = SDModel(Lattice.square(6, 6), exchange=4.0)
    states = spins.random(model.lattice, replicas=1, seed=5)
    found = suggest_cutoff(model, 0.3, filling=0.25, torque_error=0.005, states=states)
    assert found.states == 1 and found.lattice is model.lattice
    twists = 5  # enough at this kT: the exact torques of 3 and 5 differ by less than 1e-3 of the error
    assert torque_error(model, 0.3, found, states, twists) == pytest.approx(found.torque_error, rel=0.05)
    single = suggest_cutoff(model, 0.3, filling=0.25, torque_error=0.005, states=states.float())
    assert (single.cutoff, single.moments) == (found.cutoff, found.moments)


def test_vacancies_and_hopping_by_distance_are_measured_on_their_own_lattice() -> None:
    for model in (
        SDModel(Lattice.square(6, 6).without([3, 20]), exchange=4.0),
        SDModel(Lattice.amorphous(30, seed=1), ExponentialHopping(), exchange=4.0),
    ):
        found = suggest_cutoff(model, 0.3, filling=0.25, torque_error=0.02)
        assert found.lattice is model.lattice and found.torque_error <= 0.02


def test_disorder_of_bonds_is_that_of_the_model(small: None) -> None:
    model = SDModel(Lattice.chain(500), exchange=4.0, disorder=BondDisorder(width=0.3))
    found = suggest_cutoff(model, 0.3, filling=0.25, torque_error=0.01)
    assert found.lattice.n_sites == 36
    clean = suggest_cutoff(SDModel(model.lattice, exchange=4.0), 0.3, filling=0.25, torque_error=0.01)
    # positive control: the same trial gives another error without disorder
    assert clean.tried[0].torque_error != pytest.approx(found.tried[0].torque_error, rel=1e-6)


def test_its_table_can_be_read(small: None) -> None:
    found = suggest_cutoff(SDModel(Lattice.chain(12), exchange=4.0), 0.3, mu=-3.0, torque_error=0.01)
    assert repr(found) == str(found).splitlines()[0]
    lines = str(found).splitlines()
    assert lines[0].startswith(f"cutoff={found.cutoff}, moments={found.moments}: torque error")
    assert len(lines) == 3 + len(found.tried)
    assert len({len(line) for line in lines[2:]}) == 1


def test_what_cannot_be_had(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SDModel(Lattice.square(6, 6), exchange=4.0)
    monkeypatch.setattr(module, "WORK", {True: 150, False: 150})
    with pytest.raises(UserError, match=r"torque error 1e-09.*the best of \d+ tried, by cutoff"):
        suggest_cutoff(model, 0.2, filling=0.25, torque_error=1e-9)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="torque error"):
            suggest_cutoff(model, 0.2, filling=0.25, torque_error=wrong)
    with pytest.raises(UserError, match="exactly one"):
        suggest_cutoff(model, 0.2, torque_error=0.01)
    amorphous = SDModel(Lattice.amorphous(module.LARGEST + 1), ExponentialHopping())
    with pytest.raises(UserError, match=f"up to {module.LARGEST} sites"):
        suggest_cutoff(amorphous, 0.2, filling=0.25, torque_error=0.01)
    large = Lattice.square(30, 30)
    with pytest.raises(UserError, match="smaller lattice, with states on it"):
        suggest_cutoff(SDModel(large), 0.2, filling=0.25, torque_error=0.01, states=spins.random(large))


def test_name() -> None:
    assert sdgnn.suggest_cutoff is module.suggest_cutoff is sdgnn.electrons.suggest_cutoff
