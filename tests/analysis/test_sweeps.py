"""Sweeps: means against the swept keys, with errors, pooled over seeds and over nothing else."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

from sdgnn import Lattice
from sdgnn.analysis.plots.sweeps import sweep_curves
from sdgnn.analysis.statistics.sweeps import sweep_means
from sdgnn.cli.app import app
from sdgnn.cli.report.sweep import sweep_section
from sdgnn.common.errors import UserError
from sdgnn.common.rounding import with_error

LATTICE = Lattice.square(4, 4)
KTS = (0.1, 0.3)
SEEDS = (0, 1, 2)


def recorded(mean, seed, replicas=2, times=800, **settings):
    """Independent numbers of variance 1 about ``mean``, far from that in the first half."""
    rng = np.random.default_rng(seed)
    values = mean + rng.standard_normal((times, replicas))
    values[: times // 2] += 100
    coords = {"time": np.arange(times), "kT": ("replica", [0.0] * replicas), **settings}
    magnet = np.zeros((times, replicas, 3))
    magnet[..., 1:] = 3.0, 4.0
    data = {"energy": (("time", "replica"), 16 * values), "magnetization": (("time", "replica", "component"), magnet)}
    return xarray.Dataset(data, coords=coords)


def points(**settings):
    for k in range(len(KTS)):
        for s in range(len(SEEDS)):
            yield (k, s), recorded(float(k), 10 * k + s, **settings), LATTICE


def test_means_against_the_key_with_errors():
    found = sweep_means(points(), {"kT": KTS, "seed": SEEDS})
    assert found["energy_per_site_mean"].dims == ("kT",) and found["kT"].values.tolist() == list(KTS)
    expected = 1 / math.sqrt(3 * 2 * 400)  # three seeds of two replicas, the later 400 of their times
    assert found["energy_per_site_error"].values == pytest.approx([expected] * 2, rel=0.15)
    for k in (0, 1):
        late = [recorded(float(k), 10 * k + s)["energy"].values[400:] / 16 for s in range(3)]
        assert float(found["energy_per_site_mean"][k]) == pytest.approx(np.mean(late))
    assert found["energy_per_site_reliable"].values.tolist() == [1, 1]
    assert found["magnetization_mean"].values.tolist() == [5, 5]  # (0, 3, 4)


def test_settings_within_a_point_stay_apart():
    swept = sweep_means(points(damping=("replica", [0.1, 0.2])), {"kT": KTS, "seed": SEEDS})
    assert swept["energy_per_site_mean"].dims == ("kT", "setting")
    assert swept["setting"].values.tolist() == ["damping = 0.1", "damping = 0.2"]
    own = [recorded(1.0, 10 + s)["energy"].values[400:, 1] / 16 for s in range(3)]
    assert float(swept["energy_per_site_mean"][1, 1]) == pytest.approx(np.mean(own))


def test_figure_and_table_show_the_same():
    found = sweep_means(points(), {"kT": KTS, "seed": SEEDS})
    figure = sweep_curves(found, "energy_per_site")
    (axes,) = figure.axes
    line = axes.containers[0].lines[0]
    assert line.get_xdata().tolist() == list(KTS)
    assert line.get_ydata() == pytest.approx(found["energy_per_site_mean"].values)
    assert axes.get_xlabel() == "kT" and axes.get_ylabel().startswith("energy per site")
    (shown,) = sweep_section(found).tables
    assert [row[0] for row in shown.rows] == ["0.1", "0.3"]
    column = list(shown.head).index("energy per site")
    mean, error = (float(found[f"energy_per_site_{key}"][1]) for key in ("mean", "error"))
    assert shown.rows[1][column] == with_error(mean, error)
    with pytest.raises(UserError, match="allowed: energy_per_site, magnetization"):
        sweep_curves(found, "chirality")


def test_analyze_takes_the_folder_of_a_sweep(tmp_path, monkeypatch):
    """Magnetisation of a ferromagnet falls with kT; by the command line, from the folder alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(
        "lattice: {type: square, size: [4, 4]}\nfield: {heisenberg: [1.0]}\nintegrator: {dt: 0.05, damping: 0.5}\n"
        "initial: {state: ferro}\nsteps: 60\nreplicas: 2\nobserve: {energy: 5, magnetization: 5}\n"
        "sweep: {integrator.kT: [1e-3, 0.8], seed: [0, 1]}\noutput: swept\n"
    )
    assert CliRunner().invoke(app, ["simulate", "sweep.yaml"]).exit_code == 0
    result = CliRunner().invoke(app, ["analyze", "swept", "output=found"])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "found/analysis.json").read_text())
    assert found["axes"] == {"kT": [0.001, 0.8]} and found["discard"] == 0.5
    cold, hot = found["magnetization"]["mean"]
    assert cold > 0.99 > 0.9 > hot
    page = (tmp_path / "found/report.html").read_text()
    assert "Against the swept keys" in page and page.count("<img") == 2
    with xarray.open_dataset(tmp_path / "found/analysis.nc", engine="scipy") as data:
        assert data["magnetization_mean"].dims == ("kT",) and "sweep" in data.attrs
    result = CliRunner().invoke(app, ["analyze", "swept", "domains={}", "output=growth"])
    assert result.exit_code == 2 and "analyse one of its runs" in " ".join(result.stderr.split())
    result = CliRunner().invoke(app, ["analyze", "swept/runs/000", "output=one"])
    assert result.exit_code == 0, result.output
    one = json.loads((tmp_path / "one/analysis.json").read_text())
    assert one["settings"] == ["kT = 0.001", "kT = 0.8"] and len(one["energy"]["mean"]) == 2
    assert one["energy"]["mean"][0][-1] < one["energy"]["mean"][1][-1]
