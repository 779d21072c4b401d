"""The Python of docs/network.md runs as printed, on smaller lattices."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def test_network_page_runs(run_page: Callable[..., dict], capsys: pytest.CaptureFixture[str]) -> None:
    smaller = {"sdgnn.Lattice.triangular(12, 12)\nexact": "sdgnn.Lattice.triangular(6, 6)\nexact"}
    run_page("network.md", smaller)
    said = capsys.readouterr().out
    assert "2 epochs" in said and "step 6: torque R²" in said and "step 12: torque R²" in said
