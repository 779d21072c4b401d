"""What docs/nonequilibrium.md shows works as it stands: labels from Python, a model from the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

import sdgnn
from sdgnn.cli.app import app
from sdgnn.nn.baselines.two_energies import TwoEnergies

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "nonequilibrium.md").read_text()


def test_labels_model_and_driven_field(run_page: Callable[..., dict]) -> None:
    """With fewer states, one epoch and a small network."""
    scope = run_page("nonequilibrium.md", {"replicas=48": "replicas=6"})
    (config,) = re.findall(r"configs/\S+?\.yaml", PAGE)
    result = CliRunner().invoke(
        app, ["train", str(ROOT / config), "training.epochs=1", "network.layers=1", "network.channels=2"]
    )
    assert result.exit_code == 0, result.output
    assert isinstance(sdgnn.load("results/nonequilibrium/model"), TwoEnergies)
    assert scope["driven"](scope["spins"]).field.shape == (6, 64, 3)
