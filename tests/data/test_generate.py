"""Generation: the same bits whatever the workers and interruptions, nothing finished lost, clear refusals."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from sdgnn import ExactField, KPMField, Lattice, SDModel, TruncatedField, fields, spins
from sdgnn.common.errors import UserError
from sdgnn.data import Given, Interpolation, LabelSet, NoisyOrder, Protocol, Random, Snapshots, generate, read
from sdgnn.data.solvers import build

LATTICE = Lattice.triangular(4, 4)
FIELD = ExactField(SDModel(LATTICE, exchange=3.0), kT=0.05, filling=0.25)
PROTOCOLS: list[Protocol] = [
    Random(states=70),
    NoisyOrder("tetrahedral", strengths=(0.1, 0.4), states=3),
    Interpolation("ferro", fractions=(0.0, 0.5, 1.0), paths=2),
    Snapshots(runs=2, steps=(0, 4), dt=1.0, damping=0.3, kT=0.01),
    Given(spins.random(LATTICE, 3, seed=9)),
]


def test_labels_are_the_field_of_the_states(tmp_path: Path) -> None:
    labels = generate(FIELD, PROTOCOLS, tmp_path / "labels.h5", seed=1, workers=0)
    assert len(labels) == 70 + 6 + 6 + 4 + 3
    result = FIELD(labels.spins)
    torch.testing.assert_close(labels.field, result.field, rtol=0, atol=1e-12)  # rounding of another batch
    torch.testing.assert_close(labels.energy, result.energy, rtol=0, atol=1e-12)
    torch.testing.assert_close(labels.density, result.density, rtol=0, atol=1e-12)
    torch.testing.assert_close(labels.mu, result.mu, rtol=0, atol=1e-12)
    torch.testing.assert_close(labels.mu, FIELD.chemical_potential(labels.spins), rtol=0, atol=1e-12)
    assert labels.mu is not None and float(labels.mu.std()) > 0.01  # not one number for all states
    assert list(labels.counts) == [
        "random", "tetrahedral noise 0.1", "tetrahedral noise 0.4",
        "ferro to random 0", "ferro to random 0.5", "ferro to random 1", "snapshot from random", "given",
    ]  # fmt: skip
    torch.testing.assert_close(labels.spins[-3:], spins.random(LATTICE, 3, seed=9), rtol=0, atol=0)
    assert read(tmp_path / "labels.h5").content_hash == labels.content_hash
    assert os.listdir(tmp_path) == ["labels.h5"]


def test_the_file_says_how_it_was_made(tmp_path: Path) -> None:
    labels = generate(FIELD, [Random(states=2)], tmp_path / "labels.h5", seed=5, workers=0)
    origin = read(tmp_path / "labels.h5").origin
    assert origin.hamiltonian == {"hopping": [1.0], "exchange": 3.0}
    assert (origin.kT, origin.filling, origin.mu, origin.seed) == (0.05, 0.25, None, 5)
    assert origin.solver == {"name": "exact", "twists": [1, 1]}
    assert origin.protocols == ({"protocol": "random", "states": 2},)
    assert origin.version and origin.created
    again = build(origin, labels.lattice)(labels.spins)
    torch.testing.assert_close(again.field, labels.field, rtol=0, atol=1e-12)


def test_labels_of_local_moments_say_so_and_are_made_again_on_any_size(tmp_path: Path) -> None:
    field = TruncatedField(SDModel(LATTICE, exchange=3.0), kT=0.2, filling=0.25, cutoff=2, moments=13)
    generate(field, [Random(states=2)], tmp_path / "labels.h5", workers=0)
    labels = read(tmp_path / "labels.h5")
    assert labels.origin.solver == {"name": "truncated", "cutoff": 2, "moments": 13}
    again = build(labels.origin, LATTICE.resized(6, 6))
    assert isinstance(again, TruncatedField)
    assert (again.cutoff, again.moments, again.kT, again.filling) == (2, 13, 0.2, 0.25)
    assert again.lattice.n_sites == 36
    other = generate(
        TruncatedField(field.model, kT=0.2, filling=0.25, cutoff=2, moments=15),
        [Random(states=2)], tmp_path / "other.h5", workers=0,
    )  # fmt: skip
    with pytest.raises(UserError, match="moments 13 and 15"):
        LabelSet.concatenate([labels, other])


def test_the_solver_in_the_workers_is_the_one_given(tmp_path: Path) -> None:
    model = SDModel(LATTICE, hopping=[1.0, 0.3], exchange=2.0)
    for number, exact in enumerate(
        [
            ExactField(model, kT=0.1, mu=-1.0, twists=(2, 1)),
            ExactField(model, kT=0.0, filling=0.5),
            KPMField(model, kT=0.3, filling=0.5, moments=40, vectors=8, seed=3, probing="plain", twists=(2, 1)),
            KPMField(model, kT=0.3, mu=-1.0, tolerance=0.05, seed=3, dtype=torch.float32),
            TruncatedField(model, kT=0.3, filling=0.5, cutoff=2, moments=11),
            TruncatedField(model, kT=0.3, mu=-1.0, cutoff=1, moments=7),
        ]
    ):
        labels = generate(exact, [Random(states=1)], tmp_path / f"{number}.h5", workers=0)
        result = exact(labels.spins)
        torch.testing.assert_close(labels.field, result.field.double(), rtol=0, atol=1e-12)
        assert labels.mu is not None and result.mu is not None
        if exact.mu is None:
            torch.testing.assert_close(labels.mu, result.mu.double(), rtol=0, atol=1e-12)
        else:
            assert labels.mu.tolist() == [exact.mu]


@pytest.mark.parametrize(("filling", "mu"), [(0.0, -math.inf), (1.0, math.inf)])
@pytest.mark.parametrize("kT", [0.0, 0.1])
def test_no_electrons_and_full_levels_have_an_infinite_mu(filling: float, mu: float, kT: float, tmp_path: Path) -> None:
    field = ExactField(FIELD.model, kT=kT, filling=filling)
    generate(field, [Random(states=2)], tmp_path / "labels.h5", workers=0)
    labels = read(tmp_path / "labels.h5")
    assert labels.mu is not None and labels.mu.tolist() == [mu, mu]


def test_free_energies_of_both_ensembles_agree_at_the_mu_of_the_labels(tmp_path: Path) -> None:
    """F = Omega + mu N_e, with Omega of the grand canonical field at the recorded mu."""
    labels = generate(FIELD, [Random(states=3)], tmp_path / "labels.h5", workers=0)
    assert labels.mu is not None and labels.energy is not None
    electrons = 0.25 * 2 * LATTICE.n_sites
    for k, mu in enumerate(labels.mu.tolist()):
        grand = ExactField(FIELD.model, kT=FIELD.kT, mu=mu)(labels.spins[[k]])
        assert float(grand.energy) + mu * electrons == pytest.approx(float(labels.energy[k]), abs=1e-10)


def test_workers_and_interruptions_leave_no_trace_in_the_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do they import what lies in the working folder."""
    alone = generate(FIELD, PROTOCOLS, tmp_path / "alone.h5", seed=1, workers=0)
    (tmp_path / "here").mkdir()
    shadow(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    several = generate(FIELD, PROTOCOLS, tmp_path / "several.h5", seed=1, workers=2)
    assert not (tmp_path / "here" / "executed").exists()
    assert several.content_hash == alone.content_hash
    assert generate(FIELD, PROTOCOLS, tmp_path / "other.h5", seed=2, workers=0).content_hash != alone.content_hash


def test_more_states_of_one_protocol_leave_the_others_as_they_were(tmp_path: Path) -> None:
    few = generate(FIELD, [Random(2)], tmp_path / "few.h5", workers=0)
    many = generate(FIELD, [Random(9), NoisyOrder("ferro", (0.1,), 2)], tmp_path / "many.h5", workers=0)
    torch.testing.assert_close(many.spins[:2], few.spins, rtol=0, atol=0)
    assert len(set(many.seeds.tolist())) == 11


def shadow(folder: Path) -> None:
    """Files with the names of Python's own modules, which note that they are executed and fail."""
    for name in sys.stdlib_module_names - set(sys.builtin_module_names):
        note = folder / "executed"
        (folder / f"{name}.py").write_text(f"open({str(note)!r}, 'a').write(__file__)\nraise SystemExit(9)\n")


def test_the_command_imports_nothing_from_the_working_folder(tmp_path: Path) -> None:
    shadow(tmp_path)
    done = subprocess.run([sys.executable, "-m", "sdgnn", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "generate" in done.stdout, done.stderr
    assert not (tmp_path / "executed").exists()


SCRIPT = """
import resource, sys
from sdgnn import ExactField, KPMField, Lattice, SDModel
from sdgnn.data import NoisyOrder, Random, generate
path, states, workers, limit = sys.argv[1], *map(int, sys.argv[2:])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
exact = ExactField(SDModel(Lattice.triangular(6, 6), exchange=3.0), kT=0.05, filling=0.25)
generate(exact, [Random(states)], path, seed=3, workers=workers, resume=True)
"""
LARGER = ExactField(SDModel(Lattice.triangular(6, 6), exchange=3.0), kT=0.05, filling=0.25)


def _start(path: Path, states: int, workers: int = 0, limit: int = 0) -> subprocess.Popen[str]:
    """Generation in a process of its own, with files limited to so many bytes."""
    arguments = [sys.executable, "-c", SCRIPT, str(path), str(states), str(workers), str(limit)]
    return subprocess.Popen(
        arguments, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True, stderr=subprocess.PIPE, text=True
    )


def _kill_after_parts(path: Path, process: subprocess.Popen[str], parts: int) -> list[Path]:
    """Kill -9 once so many parts are finished; returns the finished ones."""
    folder = path.with_name(f"{path.stem}.parts")
    deadline = time.monotonic() + 120
    while len(list(folder.glob("[0-9]*.h5"))) < parts:
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    return sorted(folder.glob("[0-9]*.h5"))


def test_killed_and_resumed_gives_the_bits_of_an_uninterrupted_run(tmp_path: Path) -> None:
    path, protocols = tmp_path / "killed.h5", [Random(states=196)]
    finished = _kill_after_parts(path, _start(path, 196), parts=2)
    assert not path.exists() and len(finished) < 7
    before = {part: (part.stat().st_mtime_ns, read(part).content_hash) for part in finished}
    with pytest.raises(UserError, match="holds parts of an interrupted generation"):
        generate(LARGER, protocols, path, seed=3, workers=0)
    with pytest.raises(UserError, match=r"protocols\[0\].states 196 and 90, seed 3 and 4"):
        generate(LARGER, [Random(states=90)], path, seed=4, workers=0, resume=True)
    warmer = ExactField(LARGER.model, kT=0.1, filling=0.25)
    with pytest.raises(UserError, match=r"other settings: kT 0.05 and 0.1 "):
        generate(warmer, protocols, path, seed=3, workers=0, resume=True)
    assert before == {part: (part.stat().st_mtime_ns, read(part).content_hash) for part in finished}

    resumed = generate(LARGER, protocols, path, seed=3, workers=0, resume=True)
    straight = generate(LARGER, protocols, tmp_path / "straight.h5", seed=3, workers=0)
    assert resumed.content_hash == straight.content_hash
    assert sorted(os.listdir(tmp_path)) == ["killed.h5", "straight.h5"]


def test_a_full_disk_is_told_clearly_and_finished_parts_are_kept(tmp_path: Path) -> None:
    # parts of 28 states with 36 x 7 numbers need 56 kB, the joined 84 states 169 kB: the limit stops the joining
    process = _start(tmp_path / "labels.h5", states=84, limit=120_000)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "UserError" in errors and "labels.h5 could not be written: file too large" in errors
    parts = sorted((tmp_path / "labels.parts").glob("[0-9]*.h5"))
    assert [len(read(part)) for part in parts] == [28, 28, 28]
    before = [part.stat().st_mtime_ns for part in parts]
    assert sorted(os.listdir(tmp_path)) == ["labels.parts"]  # no half-written file
    # a smaller limit stops the parts themselves
    process = _start(tmp_path / "small.h5", states=84, limit=10_000)
    assert "small.parts/000-0000000.h5 could not be written: file too large" in process.communicate()[1]
    assert [part.stat().st_mtime_ns for part in parts] == before
    with_space = generate(LARGER, [Random(84)], tmp_path / "labels.h5", seed=3, workers=0, resume=True)
    assert len(with_space) == 84


def test_a_kill_between_joining_and_tidying_is_finished_by_resuming(tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    labels = generate(FIELD, [Random(3)], path, workers=0)
    (tmp_path / "labels.parts").mkdir()
    (tmp_path / "labels.parts" / "000-0000000.h5").write_bytes(path.read_bytes())
    assert generate(FIELD, [Random(3)], path, workers=0, resume=True).content_hash == labels.content_hash
    assert os.listdir(tmp_path) == ["labels.h5"]


@pytest.mark.slow
def test_workers_end_with_the_killed_script_and_the_set_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    process = _start(path, states=1960, workers=2)
    _kill_after_parts(path, process, parts=2)
    deadline = time.monotonic() + 60
    while _alive(process.pid):
        assert time.monotonic() < deadline, "workers outlive the script that started them"
        time.sleep(0.1)
    short = generate(LARGER, [Random(56)], tmp_path / "short.h5", seed=3, workers=0)
    finished = sorted((tmp_path / "killed.parts").glob("[0-9]*.h5"))
    first = [part for part in finished if part.name == "000-0000000.h5"]
    assert len(finished) >= 2
    for part in first:
        torch.testing.assert_close(read(part).field, short[:28].field, rtol=0, atol=0)


@pytest.mark.slow
def test_killed_workers_are_replaced_and_leave_no_trace_in_the_bits(tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    process = _start(path, states=840, workers=2)
    while not list(tmp_path.glob("labels.parts/0*.h5")):
        assert process.poll() is None
        time.sleep(0.01)
    victims = [pid for pid in _alive(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(victims) == 2
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    alone = generate(LARGER, [Random(840)], tmp_path / "alone.h5", seed=3, workers=0)
    assert read(path).content_hash == alone.content_hash


def _alive(session: int) -> list[int]:
    """Running processes of a session (field 6 of /proc/PID/stat), zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own, *_ = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(own) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


# -- clusters and refusals --------------------------------------------------------------------------------------


def test_a_running_scheduler_is_used(tmp_path: Path) -> None:
    from distributed import LocalCluster

    alone = generate(FIELD, [Random(70)], tmp_path / "alone.h5", workers=0)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        assert cluster.scheduler_address.startswith("tcp://")
        there = generate(FIELD, [Random(70)], tmp_path / "there.h5", scheduler=cluster.scheduler_address)
    assert there.content_hash == alone.content_hash


@pytest.mark.parametrize("processes", ["none", "lost"])
def test_a_scheduler_without_workers_or_gone_is_not_waited_for(
    processes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr("sdgnn.data.cluster.CONNECTION_TIMEOUT", 2.0)
    monkeypatch.setattr("sdgnn.data.cluster.WORKER_TIMEOUT", 0.5)
    cluster = LocalCluster(n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None)
    words = "without workers; start some with `dask worker`"
    if processes == "lost":
        monkeypatch.setattr("sdgnn.data.cluster.WORKER_TIMEOUT", 60.0)
        threading.Timer(0.5, cluster.close).start()
        words = "that is gone"
    with cluster, pytest.raises(UserError, match=rf"scheduler {cluster.scheduler_address} {words}.* kept, .*--resume"):
        generate(FIELD, [Random(70)], tmp_path / "labels.h5", scheduler=cluster.scheduler_address)


def test_workers_that_cannot_start_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ImportError: half of it is missing' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    words = r"2 worker processes without workers \(ImportError: half of it is missing\); .*workers=0"
    with pytest.raises(UserError, match=words):
        generate(FIELD, [Random(70)], tmp_path / "labels.h5", workers=2)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(UserError, match=r"2 worker processes that cannot be started \(.*No such file.*workers=0"):
        generate(FIELD, [Random(70)], tmp_path / "other.h5", workers=2)


def test_workers_that_die_of_their_work_end_the_generation(tmp_path: Path) -> None:
    import dask

    class Deadly(Random):
        def sample(self, *_: object) -> NoReturn:
            os.write(2, b"out of memory\n")
            os._exit(1)

    once = dask.config.set({"distributed.scheduler.allowed-failures": 0})  # for speed; 3 else
    words = r"2 worker processes: workers die labelling \(out of memory\); .*fewer workers; .*--resume"
    with once, pytest.raises(UserError, match=words):
        generate(FIELD, [Deadly(70)], tmp_path / "labels.h5", workers=2)


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdgnn.data.cluster.CONNECTION_TIMEOUT", 0.5)
    with pytest.raises(UserError, match="does not answer"):
        generate(FIELD, [Random(2)], tmp_path / "labels.h5", scheduler="tcp://127.0.0.1:1")


def test_a_finished_set_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    first = generate(FIELD, [Random(2)], path, workers=0)
    with pytest.raises(UserError, match="exists"):
        generate(FIELD, [Random(2)], path, workers=0)
    with pytest.raises(UserError, match=r"seed 0 and 1"):
        generate(FIELD, [Random(2)], path, seed=1, workers=0, resume=True)
    assert generate(FIELD, [Random(2)], path, workers=0, resume=True).content_hash == first.content_hash


def test_what_cannot_be_generated_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    with pytest.raises(UserError, match="allowed: an ExactField"):
        generate(fields.Zeeman(LATTICE, field=(0.0, 0.0, 1.0)), [Random(2)], path)
    with pytest.raises(UserError, match="no protocols"):
        generate(FIELD, [], path)
    with pytest.raises(UserError, match=r"ends in \.h5"):
        generate(FIELD, [Random(2)], tmp_path / "labels.npz")
    with pytest.raises(UserError, match="workers -1"):
        generate(FIELD, [Random(2)], path, workers=-1)
    with pytest.raises(UserError, match="seed -1"):
        generate(FIELD, [Random(2)], path, seed=-1)
    with pytest.raises(UserError, match=r"Neel|bipartite"):  # before anything is done
        generate(FIELD, [Random(2), NoisyOrder("neel", (0.1,), 2)], path, workers=0)
    assert not os.listdir(tmp_path)
    (tmp_path / "mine.parts").mkdir()
    (tmp_path / "mine.parts" / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="holds other files"):
        generate(FIELD, [Random(2)], tmp_path / "mine.h5", workers=0)
