"""Networks of benchmarks/alternatives.py have all symmetries of the package's, or its table would compare nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from sdgnn import Lattice
from sdgnn.nn import NetworkSettings
from sdgnn.testing import check_field

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = ["Normed", "NotNormed", "NormedByChannel", "NormedByIrrep"]
NETWORKS = ["Quadrupoles", "LocalRounds", "Flags", "TwoSided", "Pairs"]


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the scripts, as python has it when it runs one."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    sys.modules.pop("alternative_networks", None)


@pytest.mark.parametrize("name", NAMES + NETWORKS)
def test_symmetries(name: str) -> None:
    import alternative_networks as tried

    lattice = Lattice.triangular(5, 5)
    kind = tried.on_tables(getattr(tried, name)) if name in NAMES else getattr(tried, name)
    network = kind(NetworkSettings(layers=2, channels=2), lattice, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    check_field(network.on(lattice, torch.float64))
