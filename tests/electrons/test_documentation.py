"""What docs/electrons.md shows works as it stands: its code and its commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sdgnn.cli.config.benchmark import ElectronsBenchmarkConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "electrons.md").read_text()


def test_code(run_page: Callable[..., dict]) -> None:
    scope = run_page("electrons.md")
    assert bool((scope["better"].noise < scope["result"].noise / 3).all())
    torch.testing.assert_close(scope["overlap"], scope["moments"][:, scope["m"]], atol=1e-9, rtol=0)
    # the state that the page shows keeps its gap of about 1.4 t and its Hall response, but for the finite lattice
    assert float(scope["gap"].width) > 1
    assert float(scope["sigma"][0, 0, 1]) == pytest.approx(-1, abs=0.1)
    assert float(scope["density"].mean()) == pytest.approx(0.5)


def test_commands() -> None:
    commands = re.findall(r"^    (sdgnn .*)$", PAGE.replace("\\\n", ""), re.MULTILINE)
    configs = [ElectronsBenchmarkConfig.read(ROOT / words[3], words[4:]) for words in map(shlex.split, commands)]
    assert [len(config.sizes) for config in configs] == [1, 4]
    assert [settings.vectors for settings in configs[0].kpm] == [32, 72, 128, 288]
