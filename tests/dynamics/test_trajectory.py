"""Trajectories and observers: labels, schedules, streaming."""

from __future__ import annotations

import json
import time
import tracemalloc

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Heun, Lattice, Observer, simulate
from sdgnn.analysis import structure_factor_at, wave_vectors
from sdgnn.analysis.observers import observer
from sdgnn.common.errors import UserError
from sdgnn.dynamics import at_common_steps, observers, open_trajectory, recorder
from sdgnn.fields import Heisenberg, Zeeman
from sdgnn.fields.schedules import Quench

LATTICE = Lattice.honeycomb(3, 2)
FIELD = Heisenberg(LATTICE, [1.0])
HEUN = Heun(dt=0.1, damping=(0.1, 0.2), kT=0.1)


def start(replicas=2):
    return sdgnn.spins.random(LATTICE, replicas, seed=0)


@pytest.mark.parametrize("on_disk", [True, False])
def test_labels_and_values(on_disk, tmp_path):
    """What is read back is what stepping by hand gives, with every dimension and coordinate labelled."""
    run = simulate(FIELD, start(), HEUN, 25, seed=3, folder=tmp_path if on_disk else None, streams=[5, 2])
    data = run.trajectory
    assert data["spins"].dims == ("time", "replica", "site", "component")
    assert data["energy"].dims == ("time", "replica") and data["magnetization"].dims == ("time", "replica", "component")
    assert data["step"].values.tolist() == [0, 10, 20] and np.allclose(data["time"], [0, 1, 2])
    assert data["component"].values.tolist() == ["x", "y", "z"] and data["replica"].values.tolist() == [5, 2]
    assert np.allclose(data["position"], LATTICE.positions) and data["position"].dims == ("site", "axis")
    assert data["damping"].values.tolist() == [0.1, 0.2] and data["kT"].values.tolist() == [0.1, 0.1]
    assert data["energy"].attrs["units"] == "t" and data["time"].attrs["units"] == "hbar / t"
    state = HEUN.init(FIELD, start(), 3, streams=[5, 2])
    while state.step < 20:
        state = HEUN.step(FIELD, state)
    seen = data.sel(time=2.0)
    assert np.array_equal(seen["spins"], state.spins)
    assert np.array_equal(seen["energy"], FIELD(state.spins).energy)
    assert np.allclose(seen["magnetization"], state.spins.mean(1), atol=1e-15)
    assert np.allclose(seen["spins"].sel(component="z", replica=2), state.spins[1, :, 2])


def test_every_schedule_has_its_own_time(tmp_path):
    watch = [
        observers.spins(7),
        observers.energy(2),
        Observer("pairs", lambda state, result: state.spins @ state.spins.mT, ("site", "other"), every=7, units="S^2"),
    ]
    data = simulate(FIELD, start(), HEUN, 20, folder=tmp_path, observers=watch).trajectory
    assert data["energy"].dims == ("time", "replica") and data["step"].values.tolist() == list(range(0, 21, 2))
    assert data["spins"].dims[0] == data["pairs"].dims[0] == "time_7"
    assert data["pairs"].dims[1:] == ("replica", "site", "other") and data["pairs"].attrs["units"] == "S^2"
    assert data["step_7"].values.tolist() == [0, 7, 14] and np.allclose(data["time_7"], [0, 0.7, 1.4])


def test_one_selection_reaches_observables_of_all_schedules(tmp_path):
    """Recorded every 2 and every 7 steps: both are there every 14, and the steps are whole numbers."""
    run = simulate(FIELD, start(), HEUN, 30, folder=tmp_path, observers=[observers.spins(7), observers.energy(2)])
    both = at_common_steps(run.trajectory)
    assert both["spins"].dims[0] == both["energy"].dims[0] == "time" and both["step"].values.tolist() == [0, 14, 28]
    assert both["step"].dtype.kind == "i"
    late = both.sel(time=2.8, method="nearest")
    assert np.allclose(FIELD(torch.from_numpy(late["spins"].values)).energy, late["energy"])
    assert at_common_steps(run.trajectory, "energy").identical(
        run.trajectory[["energy"]].drop_vars(["time_7", "step_7"], errors="ignore")
    )
    with pytest.raises(UserError, match="torque_error of a trajectory; allowed: "):
        at_common_steps(run.trajectory, "torque_error")


def test_dimensions_have_coordinates_units_and_names(tmp_path):
    """As xarray has them: plain open_zarr finds the coordinates, and NetCDF keeps all that is said."""
    import xarray

    chosen = [observer(name, LATTICE, 5) for name in ("structure_factor", "energy", "skyrmion_number")]
    simulate(FIELD, start(), HEUN, 10, folder=tmp_path, observers=chosen)
    data = open_trajectory(tmp_path)
    assert data["q"].dims == ("wave_vector", "axis") and np.allclose(data["q"], wave_vectors(LATTICE))
    factor = data["structure_factor"].isel(time=0, replica=0)
    here = torch.from_numpy(data["q"].values[3:4])
    assert np.allclose(factor[3], structure_factor_at(start(), LATTICE, here.numpy())[0])
    for name in [*data.data_vars, "time", "step", "q", "kT", "damping", "position"]:
        assert data[name].attrs["units"] and data[name].attrs["long_name"], name
    plain = xarray.open_zarr(tmp_path / "trajectory.zarr", consolidated=False, decode_times=False, zarr_format=3)
    assert set(data.coords) == set(plain.coords) and {"q", "step", "kT", "position"} <= set(plain.coords)
    data.to_netcdf(tmp_path / "run.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "run.nc", engine="scipy") as back:
        assert set(back.coords) == set(data.coords) and back["q"].attrs["units"] == "1 / nearest-neighbour distance"


def test_a_trajectory_tells_what_made_it(tmp_path):
    data = simulate(FIELD, start(), HEUN, 5, folder=tmp_path).trajectory
    assert "Heisenberg" in data.attrs["field"]
    assert json.loads(data.attrs["integrator"]) == {**HEUN.to_dict()}


def test_schedules_of_early_runs_are_read_from_their_settings(tmp_path):
    """Version 0.1 wrote NaN for a kT that depends on time, and its schedule into run.json alone."""
    import zarr

    driven = Heun(dt=0.1, damping=0.1, kT=Quench(before=0.5, after=(0.1, 0.2), at=0.3))
    simulate(FIELD, start(), driven, 5, folder=tmp_path)
    group = zarr.open_group(tmp_path / "trajectory.zarr", mode="r+")
    for name in [name for name, _ in group.arrays() if name.startswith("kT_")]:
        del group[name]
    del group.attrs["coordinates"]
    early = open_trajectory(tmp_path)
    assert early["kT_after"].values.tolist() == [0.1, 0.2] and np.isnan(early["kT"]).all()
    (tmp_path / "run.json").write_text("{}")
    assert "kT_after" not in open_trajectory(tmp_path)


def test_nothing_to_observe(tmp_path):
    data = simulate(FIELD, start(), HEUN, 5, folder=tmp_path, observers=()).trajectory
    assert not data.data_vars and data.sizes["site"] == LATTICE.n_sites


@pytest.mark.parametrize("entries", [5, recorder.LARGEST_CHUNK, recorder.LARGEST_CHUNK + 3])
def test_chunks_meet_without_seams(entries):
    run = simulate(FIELD, start(), HEUN, entries - 1, observers=[Observer("step_seen", seen, every=1)])
    assert run.trajectory["step_seen"].values[:, 0].tolist() == list(range(entries))


def seen(state, result):
    return torch.full((len(state.spins),), float(state.step))


def test_memory_does_not_grow(tmp_path):
    """70 MB of observations pass through a few MB of memory; the same run in memory holds them (the control)."""
    lattice = Lattice.chain(4)
    field, spins = Zeeman(lattice, (0, 0, 1.0)), sdgnn.spins.random(lattice, 1, seed=0)
    watch = [Observer("noise", lambda state, result: torch.rand(1, 62_500, dtype=torch.float64), ("cell",), every=1)]
    peaks = {}
    for where, steps in ((tmp_path / "short", 29), (tmp_path / "long", 139), (None, 139)):
        tracemalloc.start()
        simulate(field, spins, Heun(dt=0.1, damping=0.1), steps, folder=where, observers=watch)
        peaks[where] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    limit = 5 * recorder.FLUSH_BYTES / 2**20  # as they wait, stacked, compressed, with checksums, and one in hand
    assert peaks[tmp_path / "long"] < min(limit, 1.5 * peaks[tmp_path / "short"])
    assert peaks[None] > 60


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda state, result: 1.0, "returned float"),
        (lambda state, result: result.energy.sum(), r"shape \(\)"),
        (lambda state, result: state.spins, r"shape \(2, 12, 3\)"),
        (lambda state, result: state.spins[:, :5, 0], "12 sites"),
        (lambda state, result: state.spins[:1, :, 0], "2 replicas"),
        (lambda state, result: state.spins[..., 0] if state.step < 2 else state.spins[:, :5, 0], "12 sites"),
    ],
)
def test_answers_that_do_not_fit(function, words):
    with pytest.raises(UserError, match=words):
        simulate(FIELD, start(), HEUN, 5, observers=[Observer("m", function, ("site",), every=1)])


def test_answers_that_change_their_shape():
    grows = Observer("m", lambda state, result: torch.zeros(2, 1 + state.step), ("bin",), every=1)
    with pytest.raises(UserError, match="2 entries along 'bin'; allowed: 1 as before"):
        simulate(FIELD, start(), HEUN, 5, observers=[grows])
    other = [
        Observer(n, lambda state, result, k=k: torch.zeros(2, k), ("bin",), every=1) for n, k in (("a", 2), ("b", 3))
    ]
    with pytest.raises(UserError, match="3 entries along 'bin'"):
        simulate(FIELD, start(), HEUN, 5, observers=other)


def test_bad_observers():
    def energy(state, result):
        return result.energy

    for bad, words in [
        ({"name": "time"}, "identifier other than"),
        ({"name": "step_20"}, "identifier other than"),
        ({"name": "kT_after"}, "identifier other than"),
        ({"name": "a b"}, "identifier"),
        ({"every": 0}, "whole number >= 1"),
        ({"dims": ("replica", "site")}, "without time and replica"),
        ({"dims": ("site", "site")}, "different names"),
    ]:
        with pytest.raises(UserError, match=words):
            Observer(**({"name": "m", "function": energy} | bad))
    with pytest.raises(UserError, match="several observers named energy"):
        simulate(FIELD, start(), HEUN, 1, observers=[observers.energy(1), observers.energy(2)])


def test_no_trajectory(tmp_path):
    with pytest.raises(UserError, match="no trajectory in"):
        open_trajectory(tmp_path)


def test_what_is_not_yet_written_costs_nothing(tmp_path):
    """A run of 10^15 steps begins, is killed, read and goes on as one of ten steps does."""

    class Enough(Exception):
        pass

    def measure(state, result):
        if state.step == 600:
            raise Enough
        return result.energy

    settings = {"observers": [Observer("energy", measure, every=2, units="t"), observers.spins(100)], "seed": 1}
    start, bath = sdgnn.spins.random(LATTICE, 2, seed=0), Heun(dt=0.05, damping=0.1, kT=0.1)
    for resume in (False, True):
        begin = time.process_time()
        with pytest.raises(Enough):
            simulate(Heisenberg(LATTICE, [1.0]), start, bath, 10**15, folder=tmp_path, resume=resume, **settings)
        data = open_trajectory(tmp_path)
        assert data["step"].values.tolist() == list(range(0, 600, 2))
        assert data["step_100"].values.tolist() == list(range(0, 600, 100))
        assert data["energy"].shape == (300, 2) and data["spins"].shape == (6, 2, LATTICE.n_sites, 3)
        assert np.allclose(data["time"], 0.05 * data["step"])
        # about 1 s; 10^15 steps one by one would take days, and their arrays 10^15 bytes
        assert time.process_time() - begin < 30
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 10**6


@pytest.mark.parametrize("steps", [2**53 + 1, 10**20, -1])
def test_numbers_of_steps_that_no_run_can_have_are_refused(steps, tmp_path):
    with pytest.raises(UserError, match="steps with a checkpoint every 1000; allowed: whole numbers"):
        simulate(
            Heisenberg(LATTICE, [1.0]), sdgnn.spins.random(LATTICE, 1, 0), Heun(dt=0.1, damping=0.1), steps,
            folder=tmp_path,
        )  # fmt: skip
    assert not any(tmp_path.iterdir())
