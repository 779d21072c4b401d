"""``sdgnn export``, and runs that start from what it wrote."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray
from helpers.configurations import sdgnn
from PIL import Image

from sdgnn.dynamics import open_trajectory
from sdgnn.interchange import read_npz, read_ovf

RUN = """
lattice: {type: triangular, size: [4, 4]}
field: {heisenberg: [1.0]}
integrator: {dt: 0.02, damping: 0.3, kT: 0.1}
steps: 40
replicas: 2
observe: {spins: 10, energy: 20}
precision: float64
output: run
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> xarray.Dataset:
    """The trajectory of run/, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(RUN)
    assert sdgnn("simulate", "run.yaml").exit_code == 0
    return open_trajectory(tmp_path / "run")


def test_every_format_from_the_help(run: xarray.Dataset) -> None:
    text = sdgnn("export", "--help")
    assert text.exit_code == 0 and "sdgnn export" in text.output
    for suffix in sorted(set(re.findall(r"\.(?:ovf|vti|vtp|pvd|npz|nc|mp4|gif|html)\b", text.output))):
        result = sdgnn("export", "run", "--to", f"out{suffix}")
        if suffix == ".vti":
            assert result.exit_code == 2 and "take .vtp" in result.stderr
        else:
            assert result.exit_code == 0, result.stderr
            assert f"written: out{suffix}" in result.stderr and Path(f"out{suffix}").stat().st_size > 400
    assert len(list(Path("out").glob("*.vtp"))) == 5
    assert "<script>" in Path("out.html").read_text()


def test_what_is_chosen_is_written(run: xarray.Dataset) -> None:
    spins = run["spins"].values
    assert sdgnn("export", "run", "--to", "last.ovf").exit_code == 0
    assert np.array_equal(read_ovf("last.ovf").spins, spins[-1, 0])
    assert sdgnn("export", "run", "--to", "early.ovf", "--time", "0.21", "--replica", "1").exit_code == 0
    assert np.array_equal(read_ovf("early.ovf").spins, spins[1, 1]) and read_ovf("early.ovf").time == 0.2
    assert sdgnn("export", "run", "--to", "t.npz", "--every", "2").exit_code == 0
    assert np.array_equal(read_npz("t.npz")["spins"], spins[::2])
    assert sdgnn("export", "run", "--to", "one.npz", "--time", "0.4", "--replica", "1").exit_code == 0
    assert np.array_equal(read_npz("one.npz")["spins"], spins[2:3, 1:])
    assert sdgnn("export", "run", "--to", "t.nc", "--replica", "1").exit_code == 0
    with xarray.open_dataset("t.nc", decode_times=False) as found:
        assert np.array_equal(found["energy"], run["energy"][:, 1:]) and found.sizes["replica"] == 1
    assert sdgnn("export", "run", "--to", "m.gif", "--every", "2").exit_code == 0
    with Image.open("m.gif") as movie:
        assert movie.n_frames == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--to", "out.png"], "names ending in .ovf"),
        (["run", "--to", "run.yaml"], "run.yaml exists"),
        (["nothing", "--to", "out.ovf"], "no trajectory in nothing"),
        (["run", "--to", "out.ovf", "--time", "9"], "time 9; allowed: 0 to 0.8"),
        (["run", "--to", "out.ovf", "--every", "2"], "every 2 times to out.ovf"),
        (["run", "--to", "out.mp4", "--time", "0.2"], "time 0.2 to out.mp4"),
        (["run", "--to", "out.npz", "--time", "0.2", "--every", "2"], "time 0.2 and every 2 times"),
        (["run", "--to", "out.vtp", "--replica", "2"], "replica 2; allowed: 0 to 1"),
        (["run", "--to", "out.vtp", "--replica", "-1"], "--replica"),
        (["run", "--to", "out.mp4", "--every", "0"], "--every"),
        (["run"], "--to"),
        (["run", "--to", "run.yaml/out.ovf"], "could not be written"),
    ],
)
def test_mistakes_end_with_2_and_leave_nothing(run: xarray.Dataset, arguments: list[str], words: str) -> None:
    result = sdgnn("export", *arguments)
    assert result.exit_code == 2 and words in " ".join(result.stderr.split())
    assert sorted(path.name for path in Path().iterdir()) == ["run", "run.yaml"]


def test_a_sweep_says_where_its_runs_are(run: xarray.Dataset) -> None:
    assert sdgnn("simulate", "run.yaml", "sweep.seed=[0,1]", "output=sweep").exit_code == 0
    result = sdgnn("export", "sweep", "--to", "out.ovf")
    assert result.exit_code == 2 and "sweep/runs/000 to 001" in result.stderr
    assert sdgnn("export", "sweep/runs/001", "--to", "out.ovf").exit_code == 0


@pytest.mark.parametrize("name", ["last.ovf", "last.npz"])
def test_a_run_goes_on_from_what_was_written(run: xarray.Dataset, name: str) -> None:
    """Without noise, 20 steps from the file of the first 20 are the 40 steps in one."""
    cold = ["integrator.kT=0"]
    assert sdgnn("simulate", "run.yaml", *cold, "output=whole").exit_code == 0
    assert sdgnn("simulate", "run.yaml", *cold, "steps=20", "output=half").exit_code == 0
    assert sdgnn("export", "half", "--to", name).exit_code == 0
    first = ["initial.state=file", f"initial.file={name}"]
    assert sdgnn("simulate", "run.yaml", *cold, *first, "steps=20", "output=rest").exit_code == 0
    whole, rest = (open_trajectory(folder)["spins"].values for folder in ("whole", "rest"))
    replicas = [0, 1] if name.endswith(".npz") else [0, 0]
    assert np.array_equal(rest, whole[2:, replicas])
    again = sdgnn("simulate", "rest/config.yaml", "output=again")
    assert again.exit_code == 0 and np.array_equal(open_trajectory("again")["spins"], rest)


def test_a_file_that_does_not_fit_ends_with_2(run: xarray.Dataset) -> None:
    assert sdgnn("export", "run", "--to", "last.ovf").exit_code == 0
    assert sdgnn("export", "run", "--to", "all.npz").exit_code == 0
    first = ["initial.state=file", "initial.file=last.ovf", "output=other"]
    for overrides, words in (
        ([*first, "lattice.size=[4,2]"], "last.ovf: spins of Lattice.triangular(4, 4)"),
        ([*first, "initial.options={period: 3}"], "option period of file"),
        (["initial.file=last.ovf", "output=other"], "state random with file last.ovf"),
        (["initial.state=file", "output=other"], "state file with file None"),
        (["initial.state=file", "initial.file=gone.ovf", "output=other"], "gone.ovf cannot be read"),
        ([*first, "initial.file=all.npz", "replicas=3"], "3 replica(s) from the 2 states"),
    ):
        result = sdgnn("simulate", "run.yaml", *overrides)
        assert result.exit_code == 2 and words in " ".join(result.stderr.split())
    assert not Path("other").exists()
