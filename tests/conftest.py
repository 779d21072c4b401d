"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled_loops() -> None:
    """Compiles the network's loops, or reads them from disk, before any test measures time or waits for a process."""
    import torch

    from sdgnn import Lattice, spins
    from sdgnn.nn import Network, NetworkSettings

    lattice = Lattice.triangular(3, 3)
    for dtype in (torch.float32, torch.float64):
        Network(NetworkSettings(layers=1, channels=1), lattice).on(lattice, dtype)(spins.random(lattice, seed=0))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with reference values and published data beside the project; absent in a user's clone."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared folder with reference values beside this clone")
    return folder
