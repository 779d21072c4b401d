"""The scripts behind the study of arrested phase separation, with small settings."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from helpers.configurations import CONFIGS, ROOT, sdgnn

from sdgnn import Lattice, spins


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script of the folder benchmarks, as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def called(module: Any, monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> None:
    """The script's command line in this process."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, words)])
    module.main()


def test_regions_of_turned_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neel order with three spins turned over, two of them next-nearest neighbours: regions of 8 and 5 sites."""
    study = script("published_quench", monkeypatch)
    state = spins.neel(study.LATTICE)
    for site in (0, 31, 400):
        state[:, site] *= -1
    assert study.sizes(state)[0, :3].tolist() == [8, 5, 0]
    assert float(study.neel_weight(state)) == pytest.approx((1 - 6 / 900) ** 2)


def test_published_quench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Path) -> None:
    """Run, collected and reported: what is known of the snapshots, and the published first state in the run."""
    study = script("published_quench", monkeypatch)
    data = shared / "data" / "double_exchange_prl2021.npz"
    words = ("--field", "fast", "--replicas", "2", "--time", "25", "--dt", "1")
    called(study, monkeypatch, "run", data, "--results", tmp_path / "runs", *words)
    called(study, monkeypatch, "collect", data, "--results", tmp_path / "runs", "--stored", tmp_path)
    called(study, monkeypatch, "report", "--stored", tmp_path, "--images", tmp_path)
    with xarray.open_dataset(tmp_path / "arrested-published.nc", engine="scipy") as stored:
        found = stored.load()
    published = found.sel(field="published", replica=0)
    assert published["parallel_bonds"].sel(time=[0, 50, 150, 1000]).values.tolist() == pytest.approx(
        [421, 252, 115, 138]
    )
    assert published["regions"].values[-1][:6].tolist() == [28, 23, 16, 16, 11, 5]
    assert float(published["neel"][-1]) == pytest.approx(0.834, abs=5e-4)
    assert float(published["memory"]) == pytest.approx(1, abs=5e-4)
    ours = found.sel(field="fast", time=[0, 25])["parallel_bonds"].values
    assert ours[0].tolist() == pytest.approx([421, 421])
    assert (abs(ours[1] - 331) < 40).all()
    assert {path.name for path in tmp_path.glob("*.png")} == {"arrested-published.png", "arrested-maps.png"}


def test_energies_of_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neel order and the ferromagnet have bands in closed form; a region may lie anywhere and turn about any axis."""
    study = script("polarons", monkeypatch)
    lattice = Lattice.square(6, 6)
    k = 2 * np.pi * np.arange(6) / 6
    band = -2 * (np.cos(k)[:, None] + np.cos(k)).ravel()
    turned = dict.fromkeys([(x, y) for x in range(6) for y in range(6) if (x + y) % 2 == 0], np.pi)
    neel, ferromagnet = (study.filled(lattice, given)[35] for given in ({}, turned))
    assert neel == pytest.approx(-np.sqrt(band**2 + 36).sum())
    assert ferromagnet == pytest.approx((band - 6).sum())
    here, there = (study.for_each_hole(lattice, [place], 2) for place in ((0, 0), (5, 3)))
    assert here == pytest.approx(there)
    assert here[0] < study.for_each_hole(lattice, [], 2)[0]
    each, holes = study.large_region(60)
    # 4 t^2 / 2 J lost for each site, holes at 6 - 4 and in a parabolic band; the true one is flatter at this density
    parabolic = 2 + 2 * np.sqrt(2 * np.pi / 3)
    assert 0.94 * parabolic < each < parabolic and 0.1 < holes < 0.4


def test_motion_along_a_torque(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short way along the torque is explained by it; one across is not."""
    study = script("published_learned", monkeypatch)
    lattice = Lattice.square(6, 6)
    state, field = spins.random(lattice, seed=1)[0], spins.random(lattice, seed=2)[0]
    turning = -torch.linalg.cross(state, field)
    moved = torch.nn.functional.normalize(state + 1e-3 * turning, dim=-1) - state
    assert study.together(study.across(moved, state), turning) == pytest.approx(1, abs=1e-5)
    assert study.together(turning, torch.linalg.cross(state, turning)) == pytest.approx(0, abs=1e-20)


@pytest.mark.slow
def test_study_of_large_lattices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The configured quenches and analyses on 8 x 8 sites, stored and reported: electrons and sites are all counted."""
    study = script("arrested", monkeypatch)
    monkeypatch.chdir(tmp_path)
    small = ("lattice.size=[8,8]", "steps=40", "observe.spins=10", "observe.energy=10", "observe.parallel_bonds=10",
             "observe.nearest_neighbour_correlation=10")  # fmt: skip
    for run in study.RUNS.values():
        result = sdgnn("simulate", str(CONFIGS / "arrested/quench.yaml"), *small, f"output=results/arrested/{run}")
        assert result.exit_code == 0, result.output
    words = ("domains.window=[5,20]", "electrons.every=2")
    result = sdgnn("analyze", str(CONFIGS / "arrested/analyze.yaml"), *words)
    assert result.exit_code == 0, result.output
    study.collect(tmp_path / "results", tmp_path)
    shutil.copy(ROOT / "notebooks" / "stored" / "arrested-check.nc", tmp_path)
    study.report(tmp_path, tmp_path)
    with xarray.open_dataset(tmp_path / "arrested-regions-005.nc", engine="scipy") as found:
        assert found["regions"].dims == ("time", "replica", "size") and found.sizes["time"] == 5
        least = (found["regions"] * found["size"]).sum("size")
        assert ((least <= found["sites"]) & (found["sites"] <= 64)).all()
    with xarray.open_dataset(tmp_path / "arrested-density.nc", engine="scipy") as found:
        assert found["memory"].values[-1] == pytest.approx(1)
        assert float(found["last"].sum()) == pytest.approx(2 * 0.485 * 64, abs=1e-2)
    assert {path.name for path in tmp_path.glob("*.png")} == {"arrested-regions.png", "arrested-density.png"}
    assert np.isfinite(study.at(found["memory"], 0.0)).all()
