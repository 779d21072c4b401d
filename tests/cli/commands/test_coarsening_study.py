"""The study of docs/coarsening.md at small settings: runs, what is stored, tables and figures."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import xarray
from helpers.configurations import CONFIGS, ROOT, sdgnn

from sdgnn import analysis
from sdgnn.common.files import atomic_path
from sdgnn.dynamics import open_trajectory

SMALL = ("lattice.size=[8, 8]", "replicas=2", "steps=20")


def done(*arguments: str) -> None:
    """A command that succeeds."""
    result = sdgnn(*arguments)
    assert result.exit_code == 0, result.output


@pytest.fixture
def study(monkeypatch, tmp_path):
    """benchmarks/coarsening.py, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("coarsening")
    monkeypatch.setattr(module, "DRAWS", 4)
    yield module
    sys.modules.pop("coarsening")


def test_small_settings(study, capsys):
    """Exact electrons and walks of electrons agree on the energy of the quench to 0.3 %; it changes by 0.9 %."""
    folder = CONFIGS / "coarsening"
    for name in ("check-exact", "check-fast", "quench"):
        done("simulate", str(folder / f"{name}.yaml"), *SMALL, "observe.spins=5")
    done("simulate", str(folder / "control.yaml"), *SMALL, "observe.nematic_map=5")
    done("analyze", str(folder / "check.yaml"))
    results, stored = Path("results"), Path("stored")
    for run, analysed, chosen in (("quench", "analysis", "chirality"), ("control", "control-analysis", "nematic")):
        trajectory = open_trajectory(results / "coarsening" / run)
        lattice = analysis.lattice_of_run(results / "coarsening" / run)
        with atomic_path(results / "coarsening" / analysed / "domains.nc") as temporary:
            analysis.coarsening(trajectory, lattice, chosen).to_netcdf(temporary, engine="scipy")
    stored.mkdir()
    study.collect(results, stored)
    names = {"coarsening-check", "coarsening", "coarsening-control"}
    assert {path.stem for path in stored.iterdir()} == names
    check = xarray.open_dataset(stored / "coarsening-check.nc", engine="scipy")
    exact, fast = check["energy_first"].values, check["energy_second"].values
    assert fast == pytest.approx(exact, rel=0.003) and abs(exact[-1] / exact[0] - 1) > 0.006
    study.report(stored, Path())
    printed = capsys.readouterr().out
    for title in ("exact and fast", "kT = 0.003: exponents", "control: walls"):
        assert title in printed
    assert {path.name for path in Path().glob("*.png")} >= {"coarsening-lengths.png", "coarsening-collapse.png"}


def test_steps_of_time(study, capsys):
    """Three steps of time reach the same times."""
    study.steps(size=8, replicas=2, until=20.0)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| energy")]
    energies = [float(row.split("|")[3].split("±")[0]) for row in rows]
    assert len(rows) == 3 and energies == pytest.approx([energies[0]] * 3, rel=0.01)
