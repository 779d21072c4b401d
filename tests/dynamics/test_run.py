"""Runs: interruption and resumption, kills, bad numbers, full disks and bad input."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import DepondtMertens, DormandPrince, Heun, ImplicitMidpoint, Lattice, Observer, SemiImplicitB, simulate
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.dynamics import load_checkpoint, observers, open_trajectory, save_checkpoint
from sdgnn.fields import FieldResult, Heisenberg, Zeeman
from sdgnn.fields.protocol import Field

LATTICE = Lattice.triangular(4, 4)
FIELD = Heisenberg(LATTICE, [1.0])
STEPS = 24
WATCH = (observers.spins(4), observers.energy(2), observers.magnetization(3))


def start(replicas=2, dtype=torch.float64):
    return sdgnn.spins.random(LATTICE, replicas, seed=0, dtype=dtype)


def integrator(scheme=Heun, **changes):
    return scheme(**({"dt": 0.05, "damping": (0.1, 0.3), "kT": (0.2, 0.05)} | changes))


def same(a, b):
    """Equal bits of states and trajectories, labels included."""
    return torch.equal(a.spins, b.spins) and a.time == b.time and a.trajectory.identical(b.trajectory)


@pytest.mark.parametrize("scheme", [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens, DormandPrince])
def test_resumed_equals_uninterrupted(scheme, tmp_path):
    """Stopped by an exception between two checkpoints and after some observations, then resumed."""

    def interrupt(state, result):
        if state.step == 17 and not (tmp_path / "repaired").exists():
            raise KeyboardInterrupt
        return result.energy

    watch = (*WATCH, Observer("fragile", interrupt, every=1))
    bath = {"kT": 0.0} if scheme is DormandPrince else {}
    settings = {"integrator": integrator(scheme, **bath), "steps": STEPS, "seed": 5, "observers": watch,
                "checkpoint_every": 5}  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        simulate(FIELD, start(), folder=tmp_path / "run", **settings)
    part = open_trajectory(tmp_path / "run")
    assert part["step"].values.tolist() == list(range(17)) and part["step_4"].values.tolist() == [0, 4, 8, 12, 16]
    assert np.isfinite(part["spins"]).all()
    (tmp_path / "repaired").touch()
    resumed = simulate(FIELD, start(), folder=tmp_path / "run", resume=True, **settings)
    whole = simulate(FIELD, start(), folder=tmp_path / "whole", **settings)
    assert same(resumed, whole)
    in_memory = simulate(FIELD, start(), **settings)
    assert torch.equal(in_memory.spins, whole.spins) and in_memory.trajectory.equals(whole.trajectory)
    other_seed = simulate(FIELD, start(), **(settings | {"seed": 6}))
    assert torch.equal(other_seed.spins, whole.spins) == (scheme is DormandPrince)


def test_a_finished_run_can_be_made_longer(tmp_path):
    settings = {"integrator": integrator(), "seed": 5, "observers": WATCH}
    simulate(FIELD, start(), steps=10, folder=tmp_path / "run", **settings)
    longer = simulate(FIELD, start(), steps=STEPS, folder=tmp_path / "run", resume=True, **settings)
    assert same(longer, simulate(FIELD, start(), steps=STEPS, folder=tmp_path / "whole", **settings))
    with pytest.raises(UserError, match="steps >= 24"):
        simulate(FIELD, start(), steps=10, folder=tmp_path / "run", resume=True, **settings)


SCRIPT = """
    import os, signal, sys, time
    sys.path.insert(0, os.path.dirname({tests!r}))
    from sdgnn.dynamics import recorder
    recorder.FLUSH_SECONDS = 0.0  # write at every observation, so that kills meet writes
    from dynamics.test_run import *
    def slow(state, result):
        if state.step == {kill_at}:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return result.energy
    print("ready", flush=True)
    simulate(FIELD, start(), integrator(), {steps}, seed=5, observers=(*WATCH, Observer("slow", slow, every=1)),
             folder={folder!r}, resume=True, checkpoint_every=7)
"""


def process(folder, steps, kill_at=-1):
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = textwrap.dedent(SCRIPT).format(
        tests=os.path.join(tests, ""), folder=str(folder), steps=steps, kill_at=kill_at
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def uninterrupted(steps, folder):
    watch = (*WATCH, Observer("slow", lambda state, result: result.energy, every=1))
    return simulate(FIELD, start(), integrator(), steps, seed=5, observers=watch, folder=folder)


def test_killed_run_resumes_bit_for_bit(tmp_path):
    """SIGKILL in the middle of a step: what was observed before is readable, and resuming gives the same bits."""
    child = process(tmp_path / "run", STEPS, kill_at=16)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    whole = uninterrupted(STEPS, tmp_path / "whole")
    part = open_trajectory(tmp_path / "run")
    assert part["step"].values.tolist() == list(range(16))
    assert part["slow"].equals(whole.trajectory["slow"].isel(time=slice(0, 16)))
    assert load_checkpoint(tmp_path / "run" / "checkpoint.npz").step == 14
    watch = (*WATCH, Observer("slow", lambda state, result: result.energy, every=1))
    settings = {"seed": 5, "observers": watch, "folder": tmp_path / "run", "resume": True}
    back = simulate(FIELD, start(), integrator(), 14, **settings)
    assert back.trajectory["step"].values[-1] == 14, "entries later than the checkpoint are dropped"
    assert same(simulate(FIELD, start(), integrator(), STEPS, **settings), whole)


class Failing(Field):
    """Zeeman field that becomes NaN in one replica at one evaluation."""

    def __init__(self, at, replica=1):
        self.lattice, self._at, self.replica, self._calls = LATTICE, at, replica, 0
        self.zeeman = Zeeman(LATTICE, (0, 0, 1.0))

    def evaluate(self, spins, time):
        self._calls += 1
        result = self.zeeman.evaluate(spins, time)
        if self._calls == self._at:
            result.field[self.replica, 3] = torch.nan
        return FieldResult(result.energy, result.field)

    def __repr__(self):
        return "Failing"


@pytest.mark.parametrize("stage", [1, 2])
def test_nan_names_step_and_replica_and_keeps_the_trajectory(stage, tmp_path):
    heun = Heun(dt=0.1, damping=0.1)
    with pytest.raises(NumericalError, match=r"step 8 .*replica 6, site 3.*shorten dt"):
        simulate(Failing(2 * 7 + stage), start(), heun, 20, folder=tmp_path, observers=[observers.spins(1)],
                 streams=[4, 6])  # fmt: skip
    part = open_trajectory(tmp_path)
    assert part["step"].values.tolist() == list(range(8 if stage == 2 else 7))
    last = load_checkpoint(tmp_path / "checkpoint.npz")
    assert last.step == int(part["step"][-1]) and torch.equal(last.spins, torch.from_numpy(part["spins"].values[-1]))
    resumed = simulate(Failing(0), start(), heun, 20, folder=tmp_path, observers=[observers.spins(1)], resume=True,
                       streams=[4, 6])  # fmt: skip
    assert torch.equal(resumed.spins, simulate(Failing(0), start(), heun, 20, observers=()).spins)


def test_full_disk_is_said_and_loses_nothing(tmp_path):
    """The system refuses files above a size, as a full disk would; with room again the run goes on to the same end."""
    lattice = Lattice.triangular(24, 24)
    field, spins = Heisenberg(lattice, [1.0]), sdgnn.spins.random(lattice, 4, seed=0)
    settings = {"integrator": Heun(dt=0.05, damping=0.1, kT=0.1), "steps": 60, "observers": [observers.spins(1)],
                "checkpoint_every": 8}  # fmt: skip
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, hard))
    try:
        with pytest.raises(UserError, match=r"could not be written.*free space"):
            simulate(field, spins, folder=tmp_path / "run", **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(tmp_path / "run" / "checkpoint.npz").step in (8, 16)
    written = open_trajectory(tmp_path / "run")
    whole = simulate(field, spins, folder=tmp_path / "whole", **settings)
    assert written.sizes["time"] >= 9
    assert written["spins"].equals(whole.trajectory["spins"].isel(time=slice(0, written.sizes["time"])))
    assert same(simulate(field, spins, folder=tmp_path / "run", resume=True, **settings), whole)


def test_folder_with_a_run_is_refused(tmp_path):
    simulate(FIELD, start(), integrator(), 2, folder=tmp_path)
    before = (tmp_path / "run.json").read_text()
    with pytest.raises(UserError, match=r"already holds a run; .*resume"):
        simulate(FIELD, start(), integrator(), 2, folder=tmp_path)
    assert (tmp_path / "run.json").read_text() == before and open_trajectory(tmp_path).sizes["time"] == 1
    (tmp_path / "run.json").unlink()
    for resume in (True, False):
        with pytest.raises(UserError, match="holds a trajectory without its run"):
            simulate(FIELD, start(), integrator(), 2, folder=tmp_path, resume=resume)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"integrator": integrator(dt=0.06)}, r"integrator.dt 0.05 and 0.06"),
        ({"integrator": integrator(SemiImplicitB)}, "integrator.scheme Heun and SemiImplicitB"),
        ({"integrator": integrator(kT=0.1)}, r"integrator.kT \[0.2, 0.05\] and 0.1"),
        ({"seed": 1}, "seed 0 and 1"),
        ({"observers": [observers.energy(5)]}, "observers \\["),
        ({"field": Heisenberg(LATTICE, [0.9])}, "field Heis"),
        ({"spins": start().flip(0)}, "initial_spins \\w+ and"),
        ({"spins": start(3), "integrator": integrator(kT=0.1, damping=0.1)}, r"replicas \[0, 1\] and \[0, 1, 2\]"),
        ({"streams": [1, 0]}, r"replicas\[0\] 0 and 1"),
    ],
)
def test_resuming_with_other_settings_names_them(change, words, tmp_path):
    settings = {"field": FIELD, "spins": start(), "integrator": integrator(), "steps": 2, "folder": tmp_path}
    simulate(**settings)
    with pytest.raises(UserError, match=words):
        simulate(**(settings | change), resume=True)


def test_resuming_with_another_field_of_the_same_name_is_refused(tmp_path):
    """As a network with other weights would be; of runs that an earlier version began, the first energies tell."""

    class Anonymous(Heisenberg):
        def __repr__(self):
            return "Anonymous"

    simulate(Anonymous(LATTICE, [1.0]), start(), integrator(), 2, folder=tmp_path)
    simulate(Anonymous(LATTICE, [1.0]), start(), integrator(), 2, folder=tmp_path, resume=True)
    with pytest.raises(UserError, match=r"content.couplings\[0\] 1.0 and 1.000001"):
        simulate(Anonymous(LATTICE, [1.0 + 1e-6]), start(), integrator(), 2, folder=tmp_path, resume=True)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["settings"]["content"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    simulate(Anonymous(LATTICE, [1.0]), start(), integrator(), 2, folder=tmp_path, resume=True)
    with pytest.raises(UserError, match=r"initial_energy\[0\] .* and"):
        simulate(Anonymous(LATTICE, [1.01]), start(), integrator(), 2, folder=tmp_path, resume=True)


def test_settings_are_written_down(tmp_path):
    simulate(FIELD, start(), integrator(), 2, seed=8, folder=tmp_path)
    content = json.loads((tmp_path / "run.json").read_text())
    settings = content["settings"]
    assert settings["integrator"] == {
        "scheme": "Heun", "dt": 0.05, "damping": [0.1, 0.3], "kT": [0.2, 0.05], "form": "gilbert"
    }  # fmt: skip
    assert settings["seed"] == 8 and settings["lattice"]["name"] == "triangular" and content["steps"] == 2
    assert content["provenance"]["sdgnn"] == sdgnn.__version__ and "torch" in content["provenance"]["libraries"]


def test_bad_arguments(tmp_path):
    with pytest.raises(UserError, match="unit spins"):
        simulate(FIELD, 1.1 * start(), integrator(), 2, folder=tmp_path)
    assert not any(tmp_path.iterdir())
    with pytest.raises(UserError, match="-1 steps"):
        simulate(FIELD, start(), integrator(), -1)
    with pytest.raises(UserError, match="checkpoint every 0"):
        simulate(FIELD, start(), integrator(), 1, checkpoint_every=0)
    with pytest.raises(UserError, match="without a folder"):
        simulate(FIELD, start(), integrator(), 1, resume=True)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        simulate(FIELD, start(), integrator(), 1, folder=tmp_path / "file")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_checkpoint_keeps_every_bit(dtype, tmp_path):
    heun = integrator()
    state = heun.step(FIELD, heun.init(FIELD, start(dtype=dtype), seed=2**64 - 1, streams=[2**40, 3]))
    save_checkpoint(tmp_path, state)
    loaded = load_checkpoint(tmp_path / "checkpoint.npz")
    assert torch.equal(loaded.spins, state.spins) and loaded.spins.dtype == dtype
    assert (loaded.time, loaded.step, loaded.seed, loaded.streams) == (0.05, 1, 2**64 - 1, (2**40, 3))


def test_simulate_is_stepping_by_hand():
    heun = integrator()
    state = heun.init(FIELD, start(), seed=5)
    for _ in range(STEPS):
        state = heun.step(FIELD, state)
    run = simulate(FIELD, start(), heun, STEPS, seed=5, progress=True)
    assert torch.equal(run.spins, state.spins) and run.time == state.time == STEPS * 0.05
    assert "24 steps to time 1.2 of 2 replicas with 16 sites" in repr(run)
