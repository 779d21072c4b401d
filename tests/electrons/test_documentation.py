"""What docs/electrons.md shows works as it stands: its code and its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import torch

from sdgnn.config.benchmark import ElectronsBenchmarkConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "electrons.md").read_text()


def test_code() -> None:
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, scope)
    assert bool((scope["better"].noise < scope["result"].noise / 3).all())
    torch.testing.assert_close(scope["overlap"], scope["moments"][:, scope["m"]], atol=1e-9, rtol=0)


def test_commands() -> None:
    commands = re.findall(r"^    (sdgnn .*)$", PAGE.replace("\\\n", ""), re.MULTILINE)
    configs = [ElectronsBenchmarkConfig.load(ROOT / words[3], words[4:]) for words in map(shlex.split, commands)]
    assert [len(config.sizes) for config in configs] == [1, 4]
    assert [settings.vectors for settings in configs[0].kpm] == [32, 72, 128, 288]
