"""Protocols: states of the right kind, each from a seed of its own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdgnn import ExactField, Lattice, SDModel, fields, spins
from sdgnn.common.errors import UserError
from sdgnn.data import Given, Interpolation, NoisyOrder, Protocol, Random, Snapshots, protocol_from_dict
from sdgnn.data.sampling import ORDERS, sample_seed
from sdgnn.dynamics import Heun
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

LATTICE = Lattice.triangular(4, 4)
FIELD = ExactField(SDModel(LATTICE, exchange=3.0), kT=0.05, filling=0.25)
PROTOCOLS: list[Protocol] = [
    Random(states=4),
    NoisyOrder("tetrahedral", strengths=(0.0, 0.3), states=2),
    Interpolation("stripe", fractions=(0.0, 0.5, 1.0), paths=2),
    Snapshots(runs=2, steps=(0, 2, 3), dt=0.5, damping=0.2, kT=0.02),
    Given(spins.random(LATTICE, 4, seed=3)),
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.protocol)
def test_samples_are_unit_spins_repeatable_and_as_many_as_promised(protocol: Protocol) -> None:
    for index in range(protocol.samples):
        sample = protocol.sample(LATTICE, index, 11, FIELD)
        assert sample.spins.shape == (protocol.states_per_sample, 16, 3) and sample.spins.dtype == torch.float64
        assert len(sample.names) == len(sample.steps) == protocol.states_per_sample
        torch.testing.assert_close(sample.spins.norm(dim=-1), torch.ones(len(sample.spins), 16).double())
        again = protocol.part(index, 1).sample(LATTICE, index, 11, FIELD)
        torch.testing.assert_close(again.spins, sample.spins, rtol=0, atol=0)


@pytest.mark.parametrize("protocol", PROTOCOLS[:4], ids=lambda p: p.protocol)
def test_another_seed_gives_another_sample(protocol: Protocol) -> None:
    first, second = (protocol.sample(LATTICE, 0, seed, FIELD).spins for seed in (1, 2))
    assert ((first - second).abs().amax(dim=(1, 2)) > 1e-3).all()


def gram(state: Tensor) -> Tensor:
    """S_i . S_j of all pairs, blind to a rotation of all spins."""
    return state @ state.T


def test_noisy_order_without_noise_is_the_turned_order() -> None:
    sample = NoisyOrder("tetrahedral", (0.0, 0.3), 2).sample(LATTICE, 0, 5, FIELD)
    ideal = spins.tetrahedral(LATTICE)[0]
    torch.testing.assert_close(gram(sample.spins[0]), gram(ideal))
    assert (sample.spins[0] - ideal).abs().max() > 0.1
    noisy = NoisyOrder("tetrahedral", (0.0, 0.3), 2).sample(LATTICE, 2, 5, FIELD)
    assert noisy.names == ("tetrahedral noise 0.3",) and (gram(noisy.spins[0]) - gram(ideal)).abs().max() > 0.1


def test_interpolation_runs_from_the_order_to_a_random_state() -> None:
    path = Interpolation("ferro", (0.0, 0.25, 0.5, 0.75, 1.0), paths=1).sample(LATTICE, 0, 8, FIELD)
    magnetisation = path.spins.mean(dim=1).norm(dim=-1)
    assert magnetisation[0] == pytest.approx(1, abs=1e-12)
    assert all(a > b for a, b in pairwise(magnetisation.tolist()))
    torch.testing.assert_close(path.spins[-1:], spins.random(LATTICE, 1, 8), rtol=0, atol=1e-15)


def test_snapshots_lie_on_the_run_that_the_integrator_makes() -> None:
    protocol = Snapshots(runs=3, steps=(0, 2, 3), dt=0.5, damping=0.2, kT=0.02)
    sample = protocol.sample(LATTICE, 1, 77, FIELD)
    integrator = Heun(dt=0.5, damping=0.2, kT=0.02)
    state = integrator.init(FIELD, spins.random(LATTICE, 1, 77), 77)
    states = [state.spins]
    for _ in range(3):
        state = integrator.step(FIELD, state)
        states.append(state.spins)
    torch.testing.assert_close(sample.spins, torch.cat([states[0], states[2], states[3]]), rtol=0, atol=0)
    assert sample.steps == (0, 2, 3) and set(sample.names) == {"snapshot from random"}


def test_damped_snapshots_lose_energy() -> None:
    drive = fields.Zeeman(LATTICE, field=(0.0, 0.0, 1.0))
    sample = Snapshots(runs=1, steps=(0, 10, 40), dt=0.1, damping=0.5).sample(LATTICE, 0, 3, drive)
    energy = drive(sample.spins).energy
    assert energy[0] > energy[1] > energy[2]


def test_snapshots_may_start_from_noisy_order() -> None:
    sample = Snapshots(runs=1, steps=(0,), dt=0.1, start="ferro", noise=0.1).sample(LATTICE, 0, 3, FIELD)
    assert sample.spins[0].mean(0).norm() > 0.9 and sample.names == ("snapshot from ferro",)


@given(st.integers(0, 2**70), st.integers(0, 50), st.integers(0, 10**6))
def test_seeds_fit_the_file_and_differ(seed: int, protocol: int, sample: int) -> None:
    own = sample_seed(seed, protocol, sample)
    assert 0 <= own < 2**63
    neighbours = {(seed + 1, protocol, sample), (seed, protocol + 1, sample), (seed, protocol, sample + 1)}
    assert own not in {sample_seed(*other) for other in neighbours}


@pytest.mark.parametrize("protocol", PROTOCOLS[:4], ids=lambda p: p.protocol)
def test_plain_settings_name_the_same_protocol(protocol: Protocol) -> None:
    assert protocol_from_dict(protocol.to_dict()) == protocol


def test_a_saved_network_may_drive_the_runs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), LATTICE)
    network.save(tmp_path / "first")
    protocol = Snapshots(runs=1, steps=(0, 2), dt=0.5, damping=0.2, model=str(tmp_path / "first"))
    sample = protocol.sample(LATTICE, 0, 4, FIELD)
    integrator, drive = Heun(dt=0.5, damping=0.2), network.on(LATTICE, dtype=torch.float64)
    state = integrator.init(drive, spins.random(LATTICE, 1, 4), 4)
    for _ in range(2):
        state = integrator.step(drive, state)
    torch.testing.assert_close(sample.spins[1:], state.spins, rtol=0, atol=1e-12)  # rounding of another instance

    named = protocol.to_dict()["model_hash"]
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    network.save(tmp_path / "first")
    assert protocol.to_dict()["model_hash"] != named  # other weights under the old name are another protocol
    with pytest.raises(UserError, match="no model"):
        Snapshots(runs=1, steps=(0,), dt=0.5, model=str(tmp_path / "none")).check(LATTICE)
    with pytest.raises(UserError):
        protocol.check(Lattice.square(4, 4))


def test_given_states_are_named_by_their_content() -> None:
    states = spins.random(LATTICE, 2)
    assert Given(states).to_dict() == Given(states.clone()).to_dict() != Given(states.flip(0)).to_dict()
    with pytest.raises(UserError, match=r"\(replica, 9, 3\)"):
        Given(states).check(Lattice.square(3, 3))


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_has_a_lattice(order: str) -> None:
    special = {
        **dict.fromkeys(("neel", "stripe"), Lattice.square(4, 4)),
        **dict.fromkeys(("q0", "sqrt3"), Lattice.kagome(3, 3)),
        **dict.fromkeys(("zigzag", "stripy"), Lattice.honeycomb(2, 2)),
        **dict.fromkeys(("a_type", "c_type"), Lattice.cubic(2, 2, 2)),
    }
    lattice = special.get(order, Lattice.triangular(6, 6))
    assert NoisyOrder(order, (0.1,), 1).sample(lattice, 0, 0, FIELD).spins.shape == (1, lattice.n_sites, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"protocol": "randm", "states": 1}, "did you mean 'random'"),
        ({"states": 1}, "the key protocol"),
        ({"protocol": "random", "state": 1}, r"unknown key state; did you mean states\?"),
        ({"protocol": "random"}, "states is missing"),
        ({"protocol": "random", "states": 0}, "states = 0"),
        ({"protocol": "random", "states": 1.5}, r"states.*1\.5"),
        ({"protocol": "noisy_order", "order": "tetrahedron", "strengths": [0.1], "states": 1}, "mean 'tetrahedral'"),
        ({"protocol": "noisy_order", "order": "ferro", "strengths": [-0.1], "states": 1}, "strengths"),
        ({"protocol": "noisy_order", "order": "ferro", "strengths": [], "states": 1}, "at least 1"),
        ({"protocol": "interpolation", "order": "ferro", "fractions": [1.2], "paths": 1}, "less than or equal to 1"),
        ({"protocol": "snapshots", "runs": 1, "steps": [3, 3], "dt": 0.1}, "increasing"),
        ({"protocol": "snapshots", "runs": 1, "steps": [3], "dt": -0.1}, "dt"),
        ({"protocol": "snapshots", "runs": 1, "steps": [3], "dt": 0.1, "start": "ferr"}, "mean 'ferro'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        protocol_from_dict(wrong)
