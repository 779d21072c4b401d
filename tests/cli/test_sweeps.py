"""Sweeps: every point is the run it would be alone, batches or not, and one data set holds them all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import sdgnn
from sdgnn.cli.app import app
from sdgnn.cli.commands import single_run
from sdgnn.cli.commands import sweep as command
from sdgnn.cli.commands.simulate import run_simulation as simulate
from sdgnn.cli.config import sweeps
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.points import points
from sdgnn.cli.config.runs import integrator_of
from sdgnn.cli.config.sweeps import axes, batches
from sdgnn.common.errors import UserError
from sdgnn.dynamics import open_sweep, open_trajectory
from sdgnn.dynamics.sweeps import write_sweep

BASE = {
    "lattice": {"type": "square", "size": [4, 4]},
    "field": {"heisenberg": [1.0]},
    "integrator": {"dt": 0.05, "damping": 0.3},
    "steps": 12,
    "replicas": 2,
    "observe": {"spins": 6, "energy": 3},
    "checkpoint_every": 4,
    "seed": 7,
}


def config(**changes) -> SimulateConfig:
    return SimulateConfig.parse({**BASE, **changes})


def run(folder: Path, resume: bool = False, **changes):
    command.run_sweep(config(output=str(folder), **changes), resume=resume)
    return open_sweep(folder)


def alone(point: SimulateConfig, streams: range):
    """One point by the functions that a user would call."""
    lattice = point.lattice.build()
    field = point.field.build(lattice, point.dtype)
    spins = sdgnn.spins.random(lattice, streams.stop, point.seed, point.dtype)[streams.start :]
    return sdgnn.simulate(
        field,
        spins,
        integrator_of(point.integrator, field, spins),
        point.steps,
        seed=point.seed,
        streams=list(streams),
    )


def test_points_and_batches():
    """The last key runs fastest; temperature and damping share a batch, all else does not."""
    swept = config(sweep={"seed": [0, 1], "integrator": {"kT": [0.1, 0.2], "damping": [0.3, 0.5]}})
    every = points(swept)
    assert [(p.seed, p.integrator.kT, p.integrator.damping) for p in every[:3]] == [
        (0, 0.1, 0.3), (0, 0.1, 0.5), (0, 0.2, 0.3),
    ]  # fmt: skip
    assert len(every) == 8 and not every[0].sweep
    first, second = batches(swept)
    assert first.points == (0, 1, 2, 3) and second.points == (4, 5, 6, 7)
    assert first.streams == second.streams == range(8)
    assert first.config.integrator.kT == (0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2)
    assert first.config.integrator.damping == (0.3, 0.3, 0.5, 0.5) * 2
    assert first.config.replicas == 8 and second.config.seed == 1
    assert axes(swept) == {"seed": (0, 1), "kT": (0.1, 0.2), "damping": (0.3, 0.5)}
    named = config(sweep={"field.heisenberg": [[1.0]], "seed": [1], "lattice.seed": [0]})
    assert list(axes(named)) == ["heisenberg", "seed", "lattice_seed"]


def test_large_groups_are_cut_without_changing_the_streams(monkeypatch):
    monkeypatch.setattr(sweeps, "LARGEST_BATCH", 16 * 2 * 2)
    cut = batches(config(sweep={"integrator.kT": [0.1, 0.2, 0.3, 0.4, 0.5]}))
    assert [b.points for b in cut] == [(0, 1), (2, 3), (4,)]
    assert [b.streams for b in cut] == [range(4), range(4, 8), range(8, 10)]


def test_every_point_is_the_run_it_would_be_alone(tmp_path):
    """Bit for bit, whoever shares its batch; with its labels in one data set."""
    data = run(tmp_path / "a", sweep={"seed": [7, 8], "integrator.kT": [0.1, 0.4]})
    assert data["energy"].dims == ("seed", "kT", "time", "replica")
    assert data["spins"].dims == ("seed", "kT", "time_6", "replica", "site", "component")
    assert data["seed"].values.tolist() == [7, 8] and data["kT"].values.tolist() == [0.1, 0.4]
    assert np.allclose(data["time"], np.arange(5) * 0.15) and data["step"].values[0, 0].tolist() == [0, 3, 6, 9, 12]
    assert data["stream"].values.tolist() == [[[0, 1], [2, 3]]] * 2
    assert data["energy"].attrs["units"] == "t" and "integrator.kT" in data.attrs["config"]
    for seed in (7, 8):
        for k, kT in enumerate((0.1, 0.4)):
            point = config(seed=seed, integrator={**BASE["integrator"], "kT": kT})
            single = alone(point, range(2 * k, 2 * k + 2))
            here = data["spins"].sel(seed=seed, kT=kT)[-1].values
            assert torch.equal(single.spins, torch.from_numpy(np.ascontiguousarray(here))), (seed, kT)
    plain = tmp_path / "plain"
    simulate(config(output=str(plain), integrator={**BASE["integrator"], "kT": 0.1}))
    assert np.array_equal(open_trajectory(plain)["energy"], data["energy"].sel(seed=7, kT=0.1))


def test_memory_holds_in_sweeps_too(tmp_path, monkeypatch):
    swept = {"sweep": {"integrator.kT": [0.1, 0.4]}}
    with pytest.raises(UserError, match=r"memory = 0.1 for 4 replica\(s\) of 16 sites"):
        run(tmp_path / "none", memory=0.1, **swept)
    with monkeypatch.context() as patched:
        patched.setattr(single_run, "PROGRAM", 0.0)  # the first steps tell that the program takes more than that
        with pytest.raises(UserError, match=r"a run that takes about .* GB with memory = 0.1"):
            run(tmp_path / "none", memory=0.1, **swept)
    assert not (tmp_path / "none").exists()
    assert run(tmp_path / "a", memory=8, **swept)["energy"].equals(run(tmp_path / "b", **swept)["energy"])


def test_monte_carlo_takes_no_damping_swept_or_not():
    sampled = {"scheme": "monte-carlo", "kT": 0.5}
    assert [b.config.integrator.kT for b in batches(config(integrator=sampled, sweep={"integrator.kT": [0.1, 0.2]}))]
    for given in ({"damping": 0.1}, {"form": "gilbert"}, {"dt": 1.0}):
        with pytest.raises(UserError, match=rf"{next(iter(given))} of scheme monte-carlo"):
            config(integrator={**sampled, **given})
        with pytest.raises(UserError, match=rf"{next(iter(given))} of scheme monte-carlo"):
            config(integrator=sampled, sweep={f"integrator.{key}": [value] for key, value in given.items()})
    assert config(integrator={"kT": 0.5}).integrator.damping == 0.1


def test_quench_depths_share_a_batch(tmp_path):
    quench = {"kind": "quench", "before": 0.5, "after": 0.1, "at": 0.3}
    swept = config(integrator={**BASE["integrator"], "kT": quench}, sweep={"integrator.kT.after": [0.1, 0.01]})
    (batch,) = batches(swept)
    assert batch.config.integrator.kT.after == (0.1, 0.1, 0.01, 0.01)
    assert batch.config.integrator.kT.before == (0.5,) * 4
    moments = {**quench, "at": 0.2}
    apart = config(integrator={**BASE["integrator"], "kT": moments}, sweep={"integrator.kT.at": [0.2, 0.3]})
    assert len(batches(apart)) == 2
    data = run(tmp_path, integrator={**BASE["integrator"], "kT": quench}, sweep={"integrator.kT.after": [0.1, 0.01]})
    for k, depth in enumerate((0.1, 0.01)):
        point = config(integrator={**BASE["integrator"], "kT": {**quench, "after": depth}})
        single = alone(point, range(2 * k, 2 * k + 2))
        assert np.array_equal(single.spins.numpy(), data["spins"].sel(after=depth)[-1].values)


def test_other_lattices_and_steps(tmp_path):
    """What has another shape at another point stays in the runs; times that differ are labelled point by point."""
    data = run(tmp_path, sweep={"lattice.size": [[4, 4], [3, 5]], "integrator.dt": [0.05, 0.1]})
    assert "spins" not in data and data["energy"].sizes == {"size": 2, "dt": 2, "time": 5, "replica": 2}
    assert data["size"].values.tolist() == ["[4, 4]", "[3, 5]"]
    assert np.allclose(data["times"][0], np.outer([0.05, 0.1], [0, 3, 6, 9, 12])) and "time" not in data.coords
    assert open_trajectory(tmp_path / "runs" / "002").sizes["site"] == 15


def test_coordinates_are_the_values_of_the_points(tmp_path):
    """YAML 1.1 reads 1e-3 as text; the points have a number, and so has the coordinate."""
    swept = {"integrator.kT": ["1e-3", 0.1], "lattice.type": ["square", "triangular"]}
    assert axes(config(sweep=swept)) == {"kT": (0.001, 0.1), "type": ("square", "triangular")}
    data = run(tmp_path, steps=3, observe={"energy": 3, "structure_factor": 3}, sweep=swept)
    assert data["kT"].values.tolist() == [0.001, 0.1] and data["kT"].dtype == np.float64
    assert data["kT_of_replica"].dims == ("kT", "type", "replica") and "kT_of_replica" in data.coords
    assert data["q"].dims == ("kT", "type", "wave_vector", "axis")  # square and triangular lattices differ
    assert data.sel(kT=0.001, type="square")["energy"].shape == (2, 2)


def test_times_that_differ_by_rounding_are_shared(tmp_path):
    data = run(tmp_path, observe={"energy": 1}, steps=3, sweep={"seed": [0, 1]})
    off = data["energy"].isel(seed=0, drop=True).to_dataset().assign_coords(time=data["time"] * (1 + 2e-16))
    same = data["energy"].isel(seed=1, drop=True).to_dataset()
    assert not np.array_equal(off["time"], same["time"])
    (tmp_path / "again").mkdir()
    write_sweep(tmp_path / "again", {"seed": (0, 1)}, iter([((0,), same), ((1,), off)]), {})
    assert open_sweep(tmp_path / "again")["time"].values.tolist() == data["time"].values.tolist()


def test_interrupted_and_resumed(tmp_path, monkeypatch):
    """Killed by a failing batch in the middle: what is done is not done again, and the end is the same."""
    sweep = {"seed": [0, 1, 2], "integrator.kT": [0.1, 0.4]}
    whole = run(tmp_path / "whole", sweep=sweep)
    original, calls = command.run_dynamics, []

    def fails(*arguments):
        calls.append(arguments[2].name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(command, "run_dynamics", fails)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "part", sweep=sweep)
    with pytest.raises(UserError, match=r"no sweep.zarr .*--resume"):
        open_sweep(tmp_path / "part")
    done = os.stat(tmp_path / "part/runs/000/checkpoint.npz").st_mtime_ns
    part = run(tmp_path / "part", resume=True, sweep=sweep)
    assert part.drop_attrs().identical(whole.drop_attrs())
    assert os.stat(tmp_path / "part/runs/000/checkpoint.npz").st_mtime_ns == done
    with pytest.raises(UserError, match="another sweep"):
        run(tmp_path / "part", resume=True, sweep={**sweep, "integrator.kT": [0.1, 0.5]})
    assert not list((tmp_path / "part").glob(".sweep*"))


def test_a_killed_sweep_resumes_to_the_same_bits(tmp_path, monkeypatch):
    """SIGKILL from outside, by the command line."""
    text = config(steps=1200, observe={"energy": 100}, checkpoint_every=100, sweep={"seed": [0, 1]}).to_yaml()
    (tmp_path / "sweep.yaml").write_text(text)
    arguments = [sys.executable, "-m", "sdgnn", "simulate", "sweep.yaml"]
    process = subprocess.Popen([*arguments, "output=part"], cwd=tmp_path, stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 100
    while not (tmp_path / "part/runs/000/checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    monkeypatch.chdir(tmp_path)
    for more in (["output=part", "--resume"], ["output=whole"]):
        result = CliRunner().invoke(app, ["simulate", "sweep.yaml", *more])
        assert result.exit_code == 0, result.output
    assert open_sweep("part").drop_attrs().identical(open_sweep("whole").drop_attrs())


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"integrator.kt": [0.1]}, ["integrator.kt=0.1", "did you mean integrator.kT"]),
        ({"integrator.kT": [0.1, -0.1]}, ["sweep at integrator.kT=-0.1", "greater than or equal to 0"]),
        ({"seed": []}, ["sweep of seed over 0 values"]),
        ({"replicas": [1, 2]}, ["every key but steps, replicas"]),
        ({"observe.energy": [1, 2]}, ["every key but steps, replicas"]),
        ({"seed": 3}, ["list"]),
    ],
)
def test_mistakes(sweep, words):
    with pytest.raises(UserError) as caught:
        config(sweep=sweep)
    for word in words:
        assert word in str(caught.value)


def test_a_number_for_each_replica_must_fit():
    with pytest.raises(UserError, match="3 values for 2 replicas"):
        batches(config(sweep={"integrator.kT": [[0.1, 0.2, 0.3], 0.1]}))
    (batch,) = batches(config(sweep={"integrator.kT": [[0.1, 0.2], 0.3]}))
    assert batch.config.integrator.kT == (0.1, 0.2, 0.3, 0.3)
