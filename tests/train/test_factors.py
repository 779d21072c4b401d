"""Factors of moments by least squares: known ones are found again, and none where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import ExactField, Lattice, SDModel, TruncatedField, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, Origin
from sdgnn.fields import torque_part
from sdgnn.nn import Network, NetworkSettings
from sdgnn.train import factors
from sdgnn.train.binding import bind
from sdgnn.train.factors import calibrate, exact_states

LATTICE = Lattice.square(6, 6)
MODEL = SDModel(LATTICE, exchange=2.0)
PHYSICS = {"kT": 0.2, "filling": 0.3}
SIZE = {"cutoff": 2, "moments": 9}
ORIGIN = Origin(hamiltonian=MODEL.to_dict(), **PHYSICS)


def states(count: int = 6) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Random ones and a noisy order, by protocol."""
    near = [spins.noisy(spins.neel(LATTICE), 0.4, seed=k) for k in range(count // 2)]
    random = spins.random(LATTICE, count - count // 2, seed=1)
    return torch.cat([random, *near]), ("random",) * len(random) + ("neel",) * len(near)


def walked(network: Network | None) -> LabelSet:
    """Labels of the plain walk, or of a network of the same walk."""
    drawn, names = states()
    field = TruncatedField(MODEL, **PHYSICS, **SIZE)
    result = (field if network is None else network.on(MODEL, torch.float64, **PHYSICS))(drawn)
    return LabelSet(LATTICE, drawn, result.field, result.energy, protocol=names, origin=ORIGIN)


def test_known_factors_are_found_again() -> None:
    """Labels are those of the walk with factors: what is left of torques is small, and so on states of another size.

    The walk in single precision (1e-6 of torques), and a prior of 1e-3 that holds directions back that hardly move
    torques: the field is what must agree, not each factor.
    """
    teacher = Network(NetworkSettings(**SIZE, hidden=0), LATTICE).double()
    assert teacher.readout is not None
    teacher.readout.directions.zero_()  # known everywhere
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        teacher.readout.factors += 0.03 * torch.randn(len(teacher.readout.mean), generator=generator)
    labels = walked(teacher)
    network, report = calibrate(MODEL, **PHYSICS, **SIZE, labels=labels)
    assert report.kept and report.prior == factors.PRIORS[0]
    assert {row.family for row in report.families} == {"random", "neel"}
    for row in report.families:
        assert 1 - row.calibrated < 0.02 * (1 - row.plain)
    larger = Lattice.square(8, 8)
    fresh, model = spins.random(larger, 2, seed=9), SDModel(larger, exchange=2.0)
    wanted = torque_part(teacher.on(model, torch.float64, **PHYSICS)(fresh).field, fresh)
    field = network.on(larger)
    found = torque_part(field(fresh).field.double(), fresh)
    without = torque_part(TruncatedField(model, **PHYSICS, **SIZE)(fresh).field, fresh)
    assert float(field.gate(fresh).mean()) > 0.8
    assert float((found - wanted).square().sum()) < 0.1 * float((without - wanted).square().sum())


def test_labels_of_the_plain_walk_leave_nothing_to_fit() -> None:
    network, report = calibrate(MODEL, **PHYSICS, **SIZE, labels=walked(None))
    assert not report.kept and "factors do not pay: the plain walk" in repr(report)
    assert network.readout is not None and not bool(network.readout.factors.any())
    assert all(row.plain > 1 - 1e-6 for row in report.families)


def exact_labels() -> LabelSet:
    drawn, names = states(8)
    result = ExactField(MODEL, **PHYSICS)(drawn)
    return LabelSet(LATTICE, drawn, result.field, result.energy, protocol=names, origin=ORIGIN)


def test_the_report_by_another_route() -> None:
    """Each state left out in turn: its torques by networks whose factors are solved for by lstsq on stacked residuals.

    Moments that move no torque, M_2 of either spinor, have no factor.
    """
    labels = exact_labels()
    network, report = calibrate(MODEL, **PHYSICS, **SIZE, labels=labels)
    trial = Network(NetworkSettings(**SIZE, hidden=0, electrons=network.settings.electrons), LATTICE).double()
    assert trial.readout is not None
    trial.readout.directions.zero_()
    field = bind(trial, labels, torch.float64)
    exact = torque_part(labels.field, labels.spins)
    plain = torque_part(field(labels.spins).field, labels.spins)
    columns = []
    for k in range(len(trial.readout.mean)):
        with torch.no_grad():
            trial.readout.factors.zero_()[k] = 1.0
        columns.append(torque_part(field(labels.spins).field, labels.spins) - plain)
    basis, missing = torch.stack(columns, dim=-1).flatten(1, 2).numpy(), (exact - plain).flatten(1).numpy()
    squares = {
        name: float(exact[[k for k, of in enumerate(labels.protocol) if of == name]].square().sum())
        for name in ("random", "neel")
    }
    weight = np.array([squares[name] ** -0.5 for name in labels.protocol])

    def fitted(chosen: list[int]) -> np.ndarray:
        rows = np.concatenate([weight[k] * basis[k] for k in chosen])
        right = np.concatenate([weight[k] * missing[k] for k in chosen])
        sizes = np.square(rows).sum(0)
        held = np.diag(np.sqrt(report.prior * sizes + 1e-9 * sizes.max()))
        return np.linalg.lstsq(np.concatenate([rows, held]), np.concatenate([right, np.zeros(len(held))]), rcond=None)[
            0
        ]

    every = range(len(labels))
    for row in report.families:
        own = [k for k in every if labels.protocol[k] == row.family]
        others = [k for k in every if k not in own]
        left = sum(np.square(missing[k] - basis[k] @ fitted([j for j in every if j != k])).sum() for k in own)
        unseen = sum(np.square(missing[k] - basis[k] @ fitted(others)).sum() for k in own)
        assert row.states == len(own) == 4
        assert row.plain == pytest.approx(1 - np.square(missing[own]).sum() / squares[row.family], abs=1e-6)
        assert row.calibrated == pytest.approx(1 - left / squares[row.family], abs=1e-6)
        assert row.unseen == pytest.approx(1 - unseen / squares[row.family], abs=1e-6)
    if report.kept:
        assert network.readout is not None
        np.testing.assert_allclose(
            network.readout.factors.detach(), fitted(list(every)), rtol=1e-4, atol=1e-3
        )  # in 0.01 t


def test_a_calibrated_network_can_be_saved(tmp_path) -> None:
    """It is one like any other, of its own electrons."""
    network, _ = calibrate(MODEL, **PHYSICS, **SIZE, labels=exact_labels())
    loaded = sdgnn.load(network.save(tmp_path / "model.safetensors"))
    fresh = spins.random(LATTICE, seed=4)
    assert torch.equal(loaded.on(LATTICE)(fresh).field, network.on(LATTICE)(fresh).field)
    assert loaded.provenance["calibration"]["families"][0]["states"] == 4


def test_states_that_it_makes_itself() -> None:
    """Random ones and every order that fits, exactly solved on a crystal of even extents, repeated to 40 sites."""
    labels = exact_states(SDModel(Lattice.chain(7), exchange=2.0), 0.2, None, 0.3)
    assert labels.lattice.shape == (200,) and labels.protocol[:4] == ("random",) * 4
    assert set(labels.protocol) > {"random", "neel"} and all(
        labels.counts[name] == 3 for name in set(labels.protocol[4:])
    )
    model = SDModel(labels.lattice, exchange=2.0)
    again = ExactField(model, kT=0.2, filling=0.3, twists=tuple(labels.origin.solver["twists"]))(labels.spins[3:5])
    torch.testing.assert_close(again.field, labels.field[3:5], rtol=0, atol=1e-9)


def test_what_is_refused() -> None:
    labels = exact_labels()
    with pytest.raises(UserError, match="allowed: labels of electrons of"):
        calibrate(MODEL, 0.1, filling=0.3, **SIZE, labels=labels)
    with pytest.raises(UserError, match="up to 600 sites without unit cells"):
        exact_states(SDModel(Lattice.square(26, 26).without([0])), 0.2, None, 0.3)
    with pytest.raises(UserError, match="at least 2"):
        calibrate(MODEL, **PHYSICS, **SIZE, labels=labels[:1])


def test_labels_of_a_single_family_calibrate_a_network_that_can_be_kept(tmp_path: Path) -> None:
    network, report = calibrate(MODEL, **PHYSICS, **SIZE, labels=exact_labels()[:2])
    assert report.families[0].unseen is None, "there is no other family"
    assert str(report).splitlines()[-1].endswith(" -")
    kept = network.save(tmp_path / "calibrated.safetensors")
    assert sdgnn.load(kept).provenance["calibration"]["families"][0]["unseen"] is None
