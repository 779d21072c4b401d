"""Generation: the same bits whatever the workers and interruptions, nothing finished lost, clear refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel, fields, spins
from sdgnn.data import Given, Interpolation, LabelSet, NoisyOrder, Protocol, Random, Snapshots, generate, read
from sdgnn.data.solvers import build
from sdgnn.errors import UserError

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


def test_the_solver_in_the_workers_is_the_one_given(tmp_path: Path) -> None:
    model = SDModel(LATTICE, hopping=[1.0, 0.3], exchange=2.0)
    for number, exact in enumerate(
        [ExactField(model, kT=0.1, mu=-1.0, twists=(2, 1)), ExactField(model, kT=0.0, filling=0.5)]
    ):
        labels = generate(exact, [Random(states=1)], tmp_path / f"{number}.h5", workers=0)
        torch.testing.assert_close(labels.field, exact(labels.spins).field, rtol=0, atol=1e-12)


def test_workers_and_interruptions_leave_no_trace_in_the_bits(tmp_path: Path) -> None:
    alone = generate(FIELD, PROTOCOLS, tmp_path / "alone.h5", seed=1, workers=0)
    several = generate(FIELD, PROTOCOLS, tmp_path / "several.h5", seed=1, workers=2)
    assert several.content_hash == alone.content_hash
    assert generate(FIELD, PROTOCOLS, tmp_path / "other.h5", seed=2, workers=0).content_hash != alone.content_hash


def test_more_states_of_one_protocol_leave_the_others_as_they_were(tmp_path: Path) -> None:
    few = generate(FIELD, [Random(2), NoisyOrder("neel", (0.1,), 2)][:1], tmp_path / "few.h5", workers=0)
    many = generate(FIELD, [Random(9), NoisyOrder("ferro", (0.1,), 2)], tmp_path / "many.h5", workers=0)
    torch.testing.assert_close(many.spins[:2], few.spins, rtol=0, atol=0)
    assert len(set(many.seeds.tolist())) == 11


SCRIPT = """
import sys
from sdgnn import ExactField, Lattice, SDModel
from sdgnn.data import Random, generate
lattice = Lattice.triangular(6, 6)
exact = ExactField(SDModel(lattice, exchange=3.0), kT=0.05, filling=0.25)
generate(exact, [Random(states=int(sys.argv[2]))], sys.argv[1], seed=3, workers=int(sys.argv[3]), resume=True)
"""


def _start(path: Path, states: int, workers: int) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", SCRIPT, str(path), str(states), str(workers)]
    return subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True)


def _kill_after_parts(path: Path, process: subprocess.Popen[bytes], parts: int) -> list[Path]:
    """Kill -9 once so many parts are finished; returns the finished ones."""
    folder = path.with_name(f"{path.stem}.parts")
    deadline = time.monotonic() + 120
    while len(list(folder.glob("[0-9]*.h5"))) < parts:
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return sorted(folder.glob("[0-9]*.h5"))


def test_killed_and_resumed_gives_the_bits_of_an_uninterrupted_run(tmp_path: Path) -> None:
    lattice = Lattice.triangular(6, 6)
    exact = ExactField(SDModel(lattice, exchange=3.0), kT=0.05, filling=0.25)
    path, protocols = tmp_path / "killed.h5", [Random(states=2000)]
    finished = _kill_after_parts(path, _start(path, 2000, 0), parts=2)
    assert not path.exists()
    whole = [LabelSet.read(part) for part in finished]  # every finished part is complete
    before = {part: part.stat().st_mtime_ns for part in finished}
    for keep in finished[2:]:
        keep.unlink()

    with pytest.raises(UserError, match="holds parts of an interrupted generation"):
        generate(exact, protocols, path, seed=3, workers=0)
    with pytest.raises(UserError, match=r"protocols\[0\].states 2000 and 90, seed 3 and 4"):
        generate(exact, [Random(states=90)], path, seed=4, workers=0, resume=True)
    assert {part: part.stat().st_mtime_ns for part in finished[:2]} == {p: before[p] for p in finished[:2]}
    # the rest of 2000 states would only take time: what was asked for is written as the script did for fewer
    settings = path.with_name("killed.parts") / "settings.json"
    record = json.loads(settings.read_text())
    record["protocols"][0]["states"] = 90
    settings.write_text(json.dumps(record))
    resumed = generate(exact, [Random(states=90)], path, seed=3, workers=0, resume=True)
    straight = generate(exact, [Random(states=90)], tmp_path / "straight.h5", seed=3, workers=0)
    assert resumed.content_hash == straight.content_hash
    torch.testing.assert_close(resumed.field[: len(whole[0])], whole[0].field, rtol=0, atol=0)
    assert sorted(os.listdir(tmp_path)) == ["killed.h5", "straight.h5"]
