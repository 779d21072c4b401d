"""What docs/interchange.md shows works as it stands: its code, its table and its commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.runs import InitialConfig
from sdgnn.interchange.files import STATES, TRAJECTORIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "interchange.md").read_text()


def test_code(run_page: Callable[..., dict]) -> None:
    scope = run_page("interchange.md")
    assert len(scope["view"].frames) == 21
    assert np.array_equal(scope["first"], scope["run"].spins)
    assert all(Path(f"run{suffix}").stat().st_size > 2000 for suffix in (".npz", ".nc", ".mp4", ".html"))
    assert len(list(Path("run").glob("*.vtp"))) == Path("run.pvd").read_text().count(".vtp") == 21


def test_every_suffix_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`\..*?) \|", PAGE, re.MULTILINE)
    assert sorted(re.findall(r"`(\.\w+)`", " ".join(rows))) == sorted((*STATES, *TRAJECTORIES))


def test_configurations_and_commands() -> None:
    (given,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert InitialConfig(**yaml.safe_load(given)["initial"]).file == Path("state.ovf")
    (command,) = re.findall(r"^    (sdgnn simulate .*)$", PAGE, re.MULTILINE)
    words = shlex.split(command)
    assert SimulateConfig.read(ROOT / words[2], words[3:]).initial.file == Path("last.ovf")
    assert len(re.findall(r"^    sdgnn export ", PAGE, re.MULTILINE)) == 3
