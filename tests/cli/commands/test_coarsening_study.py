"""The study of docs/coarsening.md at small settings: runs, what is stored, tables and figures."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import xarray
from helpers.configurations import CONFIGS, ROOT, sdgnn

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
    yield importlib.import_module("coarsening")
    sys.modules.pop("coarsening")


def test_small_settings(study, capsys):
    """Exact electrons and walks of electrons agree on the energy of the quench to 1 %, of which it changes more."""
    folder = CONFIGS / "coarsening"
    for name in ("check-exact", "check-fast", "quench"):
        done("simulate", str(folder / f"{name}.yaml"), *SMALL, "observe.spins=5")
    done("simulate", str(folder / "control.yaml"), *SMALL, "observe.nematic_map=5")
    for name, window in (("check", ""), ("analyze", "[10, 40]"), ("control-analyze", "[0.5, 2]")):
        done("analyze", str(folder / f"{name}.yaml"), *([f"domains.window={window}"] if window else []))
    results, stored = Path("results"), Path("stored")
    stored.mkdir()
    study.collect(results, stored)
    names = {"coarsening-check", "coarsening", "coarsening-control"}
    assert {path.stem for path in stored.iterdir()} == names
    check = xarray.open_dataset(stored / "coarsening-check.nc", engine="scipy")
    exact, fast = check["energy_first"].values, check["energy_second"].values
    assert fast == pytest.approx(exact, rel=0.01) and abs(exact[-1] / exact[0] - 1) > 0.02
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
