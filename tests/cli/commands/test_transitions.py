"""Parallel tempering and sweeps of temperature from the command line, against closed forms and Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.equilibrium import langevin

from sdgnn.analysis import thermodynamics
from sdgnn.cli.commands.analyze import analyze_folder
from sdgnn.cli.commands.simulate import run_simulation
from sdgnn.cli.config.commands import AnalyzeConfig, SimulateConfig
from sdgnn.common.errors import UserError
from sdgnn.dynamics import open_trajectory

LADDER = [0.4, 0.6, 0.9, 1.4]
RUN = {
    "lattice": {"type": "chain", "size": [8]},
    "field": {"zeeman": [0.0, 0.0, 1.0]},
    "integrator": {"scheme": "parallel-tempering", "kT": LADDER, "every": 2, "moves": {"dt": 0.6}},
    "steps": 60,
    "replicas": 4,
    "observe": {"energy": 1, "magnetization": 1, "walker": 2},
    "precision": "float64",
}


def analysed(folder: Path, output: Path, **keys):
    analyze_folder(AnalyzeConfig(trajectory=folder, output=output, **keys))
    return json.loads((output / "analysis.json").read_text())


def test_tempering_and_its_analysis(tmp_path: Path):
    """Energies of free spins are -(coth x - 1/x) per site; the file has what Python computes; interrupted or not."""
    config = SimulateConfig(**RUN, output=tmp_path / "run")
    run_simulation(config.model_copy(update={"steps": 23}))
    run_simulation(config, resume=True)
    run_simulation(config.model_copy(update={"output": tmp_path / "whole"}))
    one, other = (open_trajectory(tmp_path / name) for name in ("run", "whole"))
    assert one.equals(other)
    content = analysed(tmp_path / "run", tmp_path / "analysis")
    found = thermodynamics(one)
    assert np.allclose(content["equilibrium"]["kT"], LADDER)
    error = found["energy_per_site_error"].values
    expected = -langevin(1 / np.array(LADDER))
    assert (np.abs(found["energy_per_site"].values - expected) < 5 * error).all() and (error < 0.05).all()
    assert {t["route"] for t in content["transitions"]["magnetization"]} == {"susceptibility peak"}
    assert len(content["exchanges"]["rate"]) == 3 and len(content["exchanges"]["round_trips"]) == 4


def test_sweep_of_sizes_and_temperatures(tmp_path: Path):
    """kT and size swept, without exchanges: one family of two sizes, its curves in files, crossing and peaks told."""
    plain = {**RUN, "integrator": {"scheme": "hybrid-monte-carlo", "kT": 0.4, "dt": 0.6}, "replicas": 1, "steps": 50,
             "observe": {"energy": 1, "magnetization": 1}}  # fmt: skip
    sweep = {"lattice.size": [[4], [8]], "integrator.kT": LADDER}
    run_simulation(SimulateConfig(**plain, sweep=sweep, output=tmp_path / "sweep"))
    content = analysed(tmp_path / "sweep", tmp_path / "analysis")
    routes = [(t["route"], t["sites"]) for t in content["transitions"]["magnetization"]]
    assert routes == [("Binder crossing", [4, 8]), ("susceptibility peak", [4]), ("susceptibility peak", [8])]
    assert (tmp_path / "analysis" / "thermodynamics-8.nc").is_file()


def test_refused(tmp_path: Path):
    for integrator, words in (
        ({"kT": [0.1]}, "at least 2 items"),
        ({"moves": {"scheme": "heun", "dt": 0.1, "kT": 0.3}}, "moves without kT"),
        ({"moves": {"scheme": "parallel-tempering"}}, "scheme"),
        ({"damping": 0.3}, "damping"),
    ):
        with pytest.raises((UserError, ValueError), match=words):
            SimulateConfig.parse({**RUN, "integrator": {**RUN["integrator"], **integrator}})
    with pytest.raises(UserError, match="4 values of kT for 3 replicas"):
        run_simulation(SimulateConfig(**{**RUN, "replicas": 3}, output=tmp_path / "three"))
