"""Restart: kills at any time, damaged files, a second writer, signals of a scheduler, folders not to be written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sdgnn
from sdgnn import Heun, Lattice, simulate
from sdgnn.cli.commands.simulate import run_simulation as quench
from sdgnn.cli.commands.train import train_model as train
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.training import TrainConfig
from sdgnn.common.errors import DamagedFileWarning, UserError
from sdgnn.common.locking import lock_folder, sole_writer
from sdgnn.data import Random, generate
from sdgnn.dynamics import observers, open_trajectory
from sdgnn.dynamics.checkpoint import NAME, PREVIOUS, last_checkpoint, load_checkpoint
from sdgnn.dynamics.run import Run
from sdgnn.fields import Heisenberg
from sdgnn.nn import ElectronsSettings, NetworkSettings, create

LATTICE = Lattice.triangular(4, 4)
STEPS = 24


def run(folder: Path, resume: bool = False) -> Run:
    """A short run with heat, observed at two rates."""
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    seen = [observers.spins(1), observers.energy(3)]
    bath = Heun(dt=0.05, damping=0.1, kT=0.1)
    return simulate(Heisenberg(LATTICE, [1.0]), spins, bath, STEPS, seed=5, observers=seen, folder=folder,
                    resume=resume, checkpoint_every=7)  # fmt: skip


def same(a: Run, b: Run) -> bool:
    """Equal bits of states and trajectories."""
    return torch.equal(a.spins, b.spins) and a.time == b.time and a.trajectory.identical(b.trajectory)


def flip(path: Path, at: float, bit: int) -> None:
    """Change one bit of a file, ``at`` as a fraction of its length."""
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A finished run, its checkpoints at steps 21 and 24."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, run(folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_checkpoint_is_noticed(at: float, bit: int, finished, tmp_path: Path) -> None:
    """Or changes nothing: the archive repeats names and sizes, of which one copy alone is read."""
    folder, whole = finished
    path = tmp_path / NAME
    shutil.copy(folder / NAME, path)
    flip(path, at, bit)
    with suppress(UserError):
        state = load_checkpoint(path)
        assert torch.equal(state.spins, whole.spins) and state.step == STEPS and state.seed == 5


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(finished, tmp_path: Path) -> None:
    folder, whole = finished
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    assert last_checkpoint(copy).step == STEPS
    flip(copy / NAME, 0.3, 4)
    with pytest.warns(DamagedFileWarning, match=rf"{NAME} cannot be read.*going on from {PREVIOUS}, step 21"):
        assert same(run(copy, resume=True), whole)
    assert load_checkpoint(copy / NAME).step == STEPS and load_checkpoint(copy / PREVIOUS).step == 21
    for name in (NAME, PREVIOUS):
        flip(copy / name, 0.3, 4)
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(UserError, match=rf"checkpoint .*{NAME} cannot be read.*another folder"):
        run(copy, resume=True)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_a_kill_between_the_two_renames_loses_nothing(finished, tmp_path: Path) -> None:
    folder, whole = finished
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / NAME).replace(copy / PREVIOUS)
    assert same(run(copy, resume=True), whole)


def test_a_run_without_its_trajectory_is_refused_and_keeps_its_checkpoints(finished, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished[0], copy)
    shutil.rmtree(copy / "trajectory.zarr")
    before = [(copy / name).read_bytes() for name in (NAME, PREVIOUS)]
    with pytest.raises(UserError, match="run at step 24 without trajectory"):
        run(copy, resume=True)
    assert [(copy / name).read_bytes() for name in (NAME, PREVIOUS)] == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), name=st.sampled_from(["spins", "energy"]))
def test_a_damaged_chunk_is_named_and_the_rest_is_read(at: float, bit: int, name: str, finished) -> None:
    folder, whole = finished
    chunk = next(path for path in (folder / "trajectory.zarr" / name / "c").rglob("0") if path.is_file())
    before = chunk.read_bytes()
    try:
        flip(chunk, at, bit)
        damaged = open_trajectory(folder)
        with pytest.raises(UserError, match=rf"{chunk} is damaged: part 0 in time of '{name}'"):
            damaged[name].load()
        others = [other for other in damaged.data_vars if other != name]
        assert others and all(damaged[other].equals(whole.trajectory[other]) for other in others)
    finally:
        chunk.write_bytes(before)
    assert open_trajectory(folder)[name].equals(whole.trajectory[name])


def test_trajectories_without_checksums_are_still_read(tmp_path: Path) -> None:
    import zarr

    group = zarr.create_group(tmp_path / "old" / "trajectory.zarr", zarr_format=3)
    values = {"time": np.arange(3.0), "step": np.arange(3), "energy": np.arange(3.0)}
    for name, array in values.items():
        stored = group.create_array(name, shape=array.shape, dtype=array.dtype, dimension_names=("time",))
        stored[...] = array
    assert open_trajectory(tmp_path / "old")["energy"].values.tolist() == [0, 1, 2]


def configured(folder: Path, **changes: object) -> SimulateConfig:
    """A run of a network or of what ``changes`` say."""
    base = {
        "lattice": {"type": "triangular", "size": [4, 4]}, "field": {"heisenberg": [1.0]},
        "integrator": {"damping": 0.1, "kT": 0.1}, "steps": 6, "observe": {"energy": 2}, "output": str(folder),
    }  # fmt: skip
    return SimulateConfig.parse({**base, **changes})


def test_a_time_step_that_was_suggested_is_read_from_the_run(tmp_path: Path) -> None:
    """Suggested again on another machine it has other last digits: here those of the run are made so."""
    spins = sdgnn.spins.random(LATTICE, 1, seed=0, dtype=torch.float32)
    suggested = sdgnn.suggest_dt(Heisenberg(LATTICE, [1.0]), spins, Heun(dt=1.0, damping=0.1, kT=0.1))
    elsewhere = {"damping": 0.1, "kT": 0.1, "dt": suggested * (1 + 1e-7)}
    quench(configured(tmp_path / "whole", integrator=elsewhere, steps=12))
    quench(configured(tmp_path / "part", integrator=elsewhere))
    configured(tmp_path / "part").save(tmp_path / "part" / "config.yaml")
    quench(configured(tmp_path / "part", steps=12), resume=True)
    assert open_trajectory(tmp_path / "part").identical(open_trajectory(tmp_path / "whole"))


def test_a_run_goes_on_with_its_model_wherever_that_lies_and_with_no_other(tmp_path: Path) -> None:
    settings = NetworkSettings(cutoff=2, moments=9, hidden=4, electrons=ElectronsSettings(
        hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.1, filling=0.25))  # fmt: skip
    for seed, name in ((0, "a"), (1, "other")):
        create(settings, LATTICE, seed).save(tmp_path / name / "model.safetensors")
    model, run = {"model": str(tmp_path / "a")}, tmp_path / "run"
    quench(configured(run, field=model))
    (tmp_path / "a").rename(tmp_path / "b")
    run.rename(tmp_path / "moved")
    quench(configured(tmp_path / "moved", field={"model": str(tmp_path / "b")}, steps=8), resume=True)
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "other").rename(tmp_path / "b")
    with pytest.raises(UserError, match=r"content\.network\.weights\..* and .* \(there and asked for\)"):
        quench(configured(tmp_path / "moved", field={"model": str(tmp_path / "b")}, steps=8), resume=True)
    with pytest.raises(UserError, match="holds a run with another field"):
        quench(configured(tmp_path / "moved", steps=8), resume=True)


def test_a_training_goes_on_with_its_labels_wherever_they_lie(tmp_path: Path) -> None:
    exact = sdgnn.ExactField(sdgnn.SDModel(LATTICE, exchange=3.0), kT=0.1, filling=0.25)
    for seed, name in ((0, "labels.h5"), (1, "others.h5")):
        generate(exact, [Random(4)], tmp_path / name, seed=seed, workers=0)
    base = {"network": {"cutoff": 2, "moments": 9, "hidden": 4}, "training": {"epochs": 1}, "validation": 0.3,
            "output": str(tmp_path / "model")}  # fmt: skip
    train(TrainConfig.parse({**base, "data": [str(tmp_path / "labels.h5")]}))
    (tmp_path / "labels.h5").rename(tmp_path / "moved.h5")
    train(TrainConfig.parse({**base, "data": [str(tmp_path / "moved.h5")]}), resume=True)
    with pytest.raises(UserError, match="with other training labels"):
        train(TrainConfig.parse({**base, "data": [str(tmp_path / "others.h5")]}), resume=True)


HOLDER = """
    import sys, time
    from sdgnn.common.locking import sole_writer
    with sole_writer(sys.argv[1]):
        print("holding", flush=True)
        time.sleep(600)
"""


def process(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)  # type: ignore[call-overload]


def test_a_second_writer_is_told_of_the_first_and_a_killed_one_is_forgotten(finished, tmp_path: Path) -> None:
    child = process(HOLDER, tmp_path / "run")
    try:
        assert child.stdout is not None and child.stdout.readline() == "holding\n"
        with pytest.raises(UserError, match=rf"being written by process {child.pid} on .* since .*another folder"):
            run(tmp_path / "run")
        assert not (tmp_path / "run" / "run.json").exists()
        run(tmp_path / "other")
    finally:
        child.kill()
        child.communicate()
    assert same(run(tmp_path / "run"), finished[1])


def test_one_process_may_lock_a_folder_twice(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with sole_writer(tmp_path):
        assert lock.lock_counter == 2
    assert lock.is_locked
    lock.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="changing the user takes root; others meet the same errors by chmod")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    run(tmp_path / "warm")
    tmp_path.chmod(0o555)
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(UserError, match=r"could not be written: permission denied.*choose another folder"):
            run(tmp_path / "run")
    finally:
        os.seteuid(0)
        tmp_path.chmod(0o755)
    assert not (tmp_path / "run").exists()
    assert run(tmp_path / "run").state.step == STEPS


QUENCH = """
lattice: {type: triangular, size: [6, 6]}
field: {heisenberg: [1.0]}
integrator: {dt: 0.02, damping: 0.3, kT: 0.1}
steps: 1500
observe: {energy: 1}
checkpoint_every: 200
output: quench
"""
LABELS = """
lattice: {type: triangular, size: [6, 6]}
electrons: {kT: 0.1, filling: 0.25}
protocols: [{protocol: random, states: 140}]
workers: 0
output: labels
"""
TRAIN = """
data: [labels/labels.h5]
validation: 0.3
network: {cutoff: 2, moments: 9, hidden: 4}
training: {epochs: 6}
output: model
"""


def command(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "sdgnn", *words], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr


def stopped(folder: Path, number: signal.Signals, begun: Path, *words: str) -> str:
    """What a command says that gets a signal once ``begun`` exists; its status must be the one for a restart."""
    child = subprocess.Popen([sys.executable, "-m", "sdgnn", *words], cwd=folder, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / begun).exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(number)
    said = child.communicate()[1]
    assert child.returncode == 75, said
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)])
def test_a_scheduler_ends_a_simulation_that_then_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "quench.yaml").write_text(QUENCH)
    words = ("simulate", "quench.yaml")
    said = stopped(tmp_path, number, Path("quench") / PREVIOUS, *words)
    assert f"ended by {number.name}; what was finished before is saved, go on with: sdgnn simulate quench.yaml" in said
    state = last_checkpoint(tmp_path / "quench")
    assert state is not None and 200 <= state.step < 1500
    assert open_trajectory(tmp_path / "quench")["step"].values[-1] == state.step, "saved where it was, not before"
    assert command(tmp_path, *words, "--resume")[0] == 0
    assert command(tmp_path, *words, "output=whole")[0] == 0
    assert open_trajectory(tmp_path / "quench").identical(open_trajectory(tmp_path / "whole"))


@pytest.mark.slow
def test_a_scheduler_ends_labels_and_training_that_then_go_on(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text(LABELS)
    (tmp_path / "train.yaml").write_text(TRAIN)
    parts = Path("labels") / "labels.parts"
    stopped(tmp_path, signal.SIGTERM, parts / "000-0000028.h5", "generate", "labels.yaml")
    assert list((tmp_path / parts).glob("*.h5"))
    assert command(tmp_path, "generate", "labels.yaml", "--resume")[0] == 0
    stopped(tmp_path, signal.SIGTERM, Path("model") / "checkpoints" / "last.safetensors", "train", "train.yaml")
    assert command(tmp_path, "train", "train.yaml", "--resume")[0] == 0
    assert command(tmp_path, "train", "train.yaml", "output=whole")[0] == 0
    weights = [sdgnn.load(tmp_path / name).state_dict() for name in ("model", "whole")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_second_command_in_one_folder_ends_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "quench.yaml").write_text(QUENCH)
    child = process(HOLDER, tmp_path / "quench")
    try:
        assert child.stdout is not None and child.stdout.readline() == "holding\n"
        status, said = command(tmp_path, "simulate", "quench.yaml")
        assert status == 2 and f"is being written by process {child.pid}" in " ".join(said.split())
    finally:
        child.kill()
        child.communicate()


def long(folder: str | Path) -> Run:
    """A run that takes longer than its fifty kills."""
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    seen = [observers.spins(1), observers.energy(3)]
    bath = Heun(dt=0.05, damping=0.1, kT=0.1)
    return simulate(Heisenberg(LATTICE, [1.0]), spins, bath, 4000, seed=5, observers=seen, folder=folder, resume=True,
                    checkpoint_every=7)  # fmt: skip


KILLED = """
    import os, random, signal, sys, time
    sys.path.insert(0, sys.argv[2])
    from sdgnn.dynamics import recorder
    from test_restart import last_checkpoint, long
    dice = random.Random(0)
    for _ in range(50):
        child = os.fork()
        if child == 0:
            recorder.FLUSH_SECONDS = 0.0  # write at every observation, so that kills meet writes
            long(sys.argv[1])
            os._exit(0)
        time.sleep(dice.uniform(0.02, 0.5))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        state = last_checkpoint(sys.argv[1])
        print(int(os.WIFSIGNALED(status)), -1 if state is None else state.step, flush=True)
    long(sys.argv[1])
"""


@pytest.mark.slow
def test_fifty_kills_at_random_times(tmp_path: Path) -> None:
    """Processes that go on with one run are killed fifty times; the last one ends it, and all bits are compared."""
    child = process(KILLED, tmp_path / "run", Path(__file__).parent)
    lines = [[int(word) for word in line.split()] for line in child.communicate()[0].splitlines()]
    assert child.returncode == 0
    killed, steps = zip(*lines, strict=True)
    assert killed == (1,) * 50, "each was killed before its end"
    assert steps == tuple(sorted(steps)) and len(set(steps)) > 10, (
        "kills met the run at many places, and none lost a step"
    )
    whole = long(tmp_path / "whole")
    assert open_trajectory(tmp_path / "run").identical(whole.trajectory)
    assert torch.equal(last_checkpoint(tmp_path / "run").spins, whole.spins)
