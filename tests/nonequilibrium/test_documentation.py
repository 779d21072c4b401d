"""What docs/nonequilibrium.md shows works as it stands: labels from Python, a model from the configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sdgnn
from sdgnn.cli import app
from sdgnn.nn.two_energies import TwoEnergies

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "nonequilibrium.md").read_text()


def test_labels_model_and_driven_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer states, one epoch and a small network."""
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block.replace("replicas=48", "replicas=6"), scope)
    (config,) = re.findall(r"configs/\S+?\.yaml", PAGE)
    result = CliRunner().invoke(
        app, ["train", str(ROOT / config), "training.epochs=1", "network.layers=1", "network.channels=2"]
    )
    assert result.exit_code == 0, result.output
    assert isinstance(sdgnn.load("results/nonequilibrium/model"), TwoEnergies)
    assert scope["driven"](scope["spins"]).field.shape == (6, 64, 3)
