"""A guard lets known states pass, stops at unknown ones with everything saved, or labels them and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import ExactField, Guard, Heun, Lattice, SDModel, TruncatedField, simulate
from sdgnn.cli.config.runs import GuardConfig
from sdgnn.common.errors import UnknownStates, UserError
from sdgnn.data import read
from sdgnn.data.solvers import describe
from sdgnn.dynamics import State, load_checkpoint, observers, open_trajectory
from sdgnn.fields import FieldResult, Heisenberg, Zeeman
from sdgnn.nn import EquivariantNetwork, EquivariantSettings
from sdgnn.nn.committee import Calibration, Committee

LATTICE = Lattice.triangular(6, 6)
SMALL = Lattice.triangular(4, 4)
COMMITTEE = Committee(
    [
        EquivariantNetwork(EquivariantSettings(layers=1, channels=2, bond_functions=3), LATTICE, seed)
        for seed in range(2)
    ],
    Calibration(factor=1.0, limit=1.0),
)
FIELD = COMMITTEE.on(LATTICE)


def exact(lattice: Lattice = SMALL) -> ExactField:
    return ExactField(SDModel(lattice, exchange=3.0), kT=0.3, filling=0.25)


def start() -> torch.Tensor:
    """One replica close to tetrahedral order, whose torques would all vanish, and one at random."""
    order = sdgnn.spins.noisy(sdgnn.spins.tetrahedral(LATTICE), 1e-3)
    return torch.cat([order, sdgnn.spins.random(LATTICE, 1, seed=0)]).float()


def run(guard: Guard | None, folder: Path | None = None, **changed: Any) -> sdgnn.dynamics.Run:
    settings: dict[str, Any] = {
        "spins": start(), "integrator": Heun(dt=0.2, damping=0.3, kT=0.02), "steps": 24, "seed": 3,
        "observers": [observers.spins(4), observers.torque_error(4)],
    }  # fmt: skip
    return simulate(FIELD, folder=folder, guard=guard, **settings | changed)


def test_a_guard_that_sees_nothing_changes_nothing() -> None:
    free, guarded = run(None), run(Guard(every=4))
    assert torch.equal(free.spins, guarded.spins)
    assert guarded.trajectory["unknown_share"].shape == (7, 2)
    assert (guarded.trajectory["unknown_share"] == 0).all()


@pytest.fixture(scope="module")
def limit() -> float:
    """The median of the errors that are predicted as tetrahedral order melts."""
    return float(np.median(run(None, spins=start()[:1]).trajectory["torque_error"].values))


def test_the_share_is_that_of_the_sites_beyond_the_limit(limit: float) -> None:
    trajectory = run(Guard(limit=limit, share=1.0, every=4)).trajectory
    expected = (trajectory["torque_error"].values > limit).mean(-1)
    assert expected[0, 0] < 0.1 < expected[-1, 0]
    assert np.allclose(trajectory["unknown_share"].values, expected)


def test_the_limit_is_the_calibrations_unless_given() -> None:
    assert Guard().limit_in(FIELD) == 1.0
    assert Guard(limit=0.3).limit_in(FIELD) == 0.3


def test_it_stops_where_the_share_passes_and_goes_on_with_more_patience(limit: float, tmp_path: Path) -> None:
    patient = Guard(limit=limit, share=1.0, every=4)
    whole = run(patient, spins=start()[:1])
    first = 4 * int(np.argmax(whole.trajectory["unknown_share"].values[:, 0] > 0.3))
    assert first > 0
    with pytest.raises(UnknownStates, match=rf"step {first} .*left what the committee knows.*sdgnn learn.*guard"):
        run(Guard(limit=limit, share=0.3, every=4), tmp_path, spins=start()[:1])
    assert load_checkpoint(tmp_path / "checkpoint.npz").step == first - 1
    part = open_trajectory(tmp_path)["spins"].values
    assert np.array_equal(part[: first // 4], whole.trajectory["spins"].values[: first // 4])
    resumed = run(patient, tmp_path, spins=start()[:1], resume=True)
    assert torch.equal(resumed.spins, whole.spins)
    assert resumed.trajectory.identical(whole.trajectory)


def test_it_labels_what_it_does_not_know_and_goes_on(tmp_path: Path) -> None:
    """Every state is unknown: the labels are exact, one per run and window, and the run is the free one."""
    guard = Guard(limit=1e-9, every=4, exact=exact(LATTICE), window=16)
    guarded = run(guard, tmp_path)
    free = run(None)
    assert torch.equal(guarded.spins, free.spins)
    labels = read(tmp_path / "unknown.h5")
    assert labels.steps.tolist() == [0, 0, 16, 16]
    assert len(set(labels.seeds.tolist())) == 2
    states = free.trajectory["spins"].sel(time=[0.0, 16 * 0.2], method="nearest").values.reshape(4, 36, 3)
    assert np.allclose(labels.spins.numpy(), states, atol=1e-6)
    result = exact(LATTICE)(labels.spins)
    assert torch.allclose(labels.field, result.field, atol=1e-9)
    torch.testing.assert_close(labels.mu, result.mu, rtol=0, atol=1e-9)
    assert labels.origin.kT == 0.3


def test_large_lattices_are_labelled_in_pieces_around_the_least_known_sites(tmp_path: Path) -> None:
    guarded = run(Guard(limit=1e-9, every=4, exact=exact(), window=100), tmp_path)
    labels = read(tmp_path / "unknown.h5")
    assert labels.lattice.shape == (4, 4)
    assert len(labels) == 2
    result = exact()(labels.spins)
    assert torch.allclose(labels.field, result.field, atol=1e-9)
    torch.testing.assert_close(labels.mu, result.mu, rtol=0, atol=1e-9)
    whole = guarded.trajectory["spins"].values[0]
    for piece, state in zip(labels.spins.numpy(), whole, strict=True):
        distance = np.abs(piece[:, None] - state[None]).max(-1)
        assert (distance.min(1) < 1e-6).all(), "every spin of a piece is one of the state's"


class Broken(Exception):
    """Raised in the middle of a run."""


def test_labels_of_an_interrupted_run_are_those_of_the_uninterrupted(tmp_path: Path) -> None:
    """Back to the checkpoint of step 10, as after a kill, with labels that the resumed run passes again."""
    guard, checkpoint = Guard(limit=1e-9, every=4, exact=exact(), window=8), tmp_path / "part/checkpoint.npz"
    early: list[bytes] = []

    def breaks(state: State, result: FieldResult) -> torch.Tensor:
        if state.step == 12 and not early:
            early.append(checkpoint.read_bytes())
        elif state.step == 20 and len(early) == 1:
            early.append(b"")
            raise Broken
        return result.energy

    watch = [sdgnn.Observer("energy", breaks, every=4)]
    with pytest.raises(Broken):
        run(guard, tmp_path / "part", checkpoint_every=10, observers=watch)
    checkpoint.write_bytes(early[0])
    assert load_checkpoint(checkpoint).step == 10
    assert read(tmp_path / "part/unknown.h5").steps.max() == 16
    run(guard, tmp_path / "part", checkpoint_every=10, observers=watch, resume=True)
    run(guard, tmp_path / "whole")
    whole, part = (read(tmp_path / name / "unknown.h5") for name in ("whole", "part"))
    assert whole.content_hash == part.content_hash
    assert whole.steps.tolist() == part.steps.tolist()


def test_a_run_that_stays_unknown_stops_after_the_most_labels(tmp_path: Path) -> None:
    with pytest.raises(UnknownStates, match=r"2 states .* at most 3.*sdgnn train"):
        run(Guard(limit=1e-9, every=4, exact=exact(), window=8, most=3), tmp_path)
    assert len(read(tmp_path / "unknown.h5")) == 2


@pytest.mark.parametrize(
    "settings",
    [{"limit": 0.0}, {"limit": -1.0}, {"share": 1.5}, {"share": -0.1}, {"every": 0}, {"window": 0}, {"most": 0},
     {"limit": float("nan")}],
    ids=str,
)  # fmt: skip
def test_bad_numbers_are_refused(settings: dict) -> None:
    with pytest.raises(UserError, match="Guard with"):
        Guard(**settings)


def test_what_cannot_be_guarded_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    integrator = Heun(dt=0.1, damping=0.1)
    for field, guard, words in (
        (Heisenberg(LATTICE, [1.0]), Guard(), "committee"),
        (FIELD + FIELD, Guard(), "one committee"),
        (Committee(list(COMMITTEE.models)).on(LATTICE), Guard(), "without calibration"),
        (FIELD, Guard(exact=exact(Lattice.triangular(8, 8))), "at most as many"),
        (FIELD, Guard(exact=Heisenberg(SMALL, [1.0])), "an ExactField"),
    ):
        with pytest.raises(UserError, match=words):
            simulate(field, start(), integrator, 4, folder=tmp_path / "run", guard=guard)
        assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match="without a file"):
        simulate(FIELD, start(), integrator, 4, guard=Guard(exact=exact()))


def test_other_labels_are_not_mixed_in(tmp_path: Path) -> None:
    run(Guard(limit=1e-9, every=4, exact=exact(), window=100), tmp_path / "one")
    other = ExactField(SDModel(SMALL, exchange=3.0), kT=0.2, filling=0.25)
    with pytest.raises(UserError, match=r"kT 0\.3 and 0\.2"):
        run(Guard(limit=1e-9, exact=other, path=tmp_path / "one/unknown.h5"), tmp_path / "two")


@pytest.mark.parametrize(
    "labelled_by",
    [exact(), TruncatedField(SDModel(SMALL, exchange=3.0), kT=0.3, filling=0.25, cutoff=2, moments=13)],
    ids=["exact", "truncated"],
)
def test_a_configured_guard_labels_as_its_committee_was_labelled(
    tmp_path: Path, labelled_by: ExactField | TruncatedField
) -> None:
    committee = Committee(list(COMMITTEE.models), COMMITTEE.calibration)
    committee.provenance = {"physics": json.loads(json.dumps(describe(labelled_by).physics))}
    field = committee.on(LATTICE)
    guard = GuardConfig(then="label", limit=1e-9, every=4, window=100).build(field)
    integrator = Heun(dt=0.2, damping=0.3, kT=0.02)
    simulate(field, start(), integrator, 4, seed=3, guard=guard, folder=tmp_path / "run")
    labels = read(tmp_path / "run" / "unknown.h5")
    assert labels.origin.solver == describe(labelled_by).solver
    found = type(labelled_by)(SDModel(LATTICE, exchange=3.0), **settings_of(labelled_by))(labels.spins)
    torch.testing.assert_close(labels.field, found.field.double(), rtol=0, atol=1e-9)


def settings_of(field: ExactField | TruncatedField) -> dict[str, Any]:
    """What it was made with besides its model."""
    names = ("kT", "filling", "cutoff", "moments")
    return {name: getattr(field, name) for name in names if hasattr(field, name)}


def test_a_configured_guard_diagonalises_small_lattices_alone() -> None:
    large = Lattice.triangular(36, 36)
    committee = Committee(list(COMMITTEE.models), COMMITTEE.calibration)
    for field, fits in (
        (exact(), False),
        (TruncatedField(SDModel(SMALL, exchange=3.0), kT=0.3, filling=0.25, cutoff=2, moments=13), True),
    ):
        committee.provenance = {"physics": json.loads(json.dumps(describe(field).physics))}
        if fits:
            assert isinstance(GuardConfig(then="label").build(committee.on(large)).exact, TruncatedField)
        else:
            with pytest.raises(UserError, match=r"guard\.size"):
                GuardConfig(then="label").build(committee.on(large))


def test_a_committee_among_other_fields_is_found() -> None:
    field = FIELD + Zeeman(LATTICE, field=(0, 0, 0.1))
    with pytest.raises(UnknownStates):
        simulate(field, start(), Heun(dt=0.1, damping=0.1), 4, guard=Guard(limit=1e-9))
