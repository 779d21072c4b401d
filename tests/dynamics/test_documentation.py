"""What docs/protocols.md shows works as it stands: its code and its configurations."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.points import points
from sdgnn.cli.config.sweeps import batches
from sdgnn.fields.schedules import Anneal, Sweep

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocols.md").read_text()


def test_code(run_page: Callable[..., dict]) -> None:
    scope = run_page("protocols.md")
    seen = scope["run"].trajectory
    assert seen["bath_temperature"].sel(time=10).values.tolist() == [0.1, 0.02]
    assert float(seen["external_field"].sel(time=5)[0, 2]) == pytest.approx(0.5)
    error = scope["means"].energy_error.item() / 32
    assert scope["data"]["energy"].sizes == {"kT": 2, "seed": 2, "time": 6, "replica": 2}
    assert abs(scope["means"].energy_mean.item() / 32 + 1 / np.tanh(2) - 0.5) < 5 * error < 0.05


def test_configurations() -> None:
    names = set(re.findall(r"configs/protocols/(\w+)\.yaml", PAGE))
    configs = {name: SimulateConfig.read(ROOT / f"configs/protocols/{name}.yaml") for name in names}
    assert configs.keys() == {"anneal", "hysteresis", "kagome", "depths"}
    assert isinstance(configs["anneal"].integrator.kT, Anneal)
    assert isinstance(configs["hysteresis"].field.zeeman_schedule, Sweep)
    assert configs["kagome"].field.dmi.kind == "out-of-plane"
    assert len(batches(configs["depths"])) == 1 and len(points(configs["depths"])) == 6


def test_commands() -> None:
    commands = re.findall(r"^    (sdgnn simulate .*)$", PAGE, re.MULTILINE)
    for words in map(shlex.split, commands):
        SimulateConfig.read(ROOT / words[2], [word for word in words[3:] if word != "--resume"])
    assert len(commands) == 6


def test_restarting(run_page) -> None:
    assert run_page("restarting.md")["run"].state.step == 40
