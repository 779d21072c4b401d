"""What docs/truncated.md shows works as it stands: its code, its commands and what it says of conservation."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import sdgnn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "truncated.md").read_text()


def test_code(run_page: Callable[..., dict]) -> None:
    # the measurement itself has its own tests; an easier error spares most of what it tries
    scope = run_page("truncated.md", {"torque_error=0.004": "torque_error=0.015"})
    result, accurate = scope["result"], scope["accurate"]
    miss, less = ((found.density.sum(1) / scope["electrons"] - 1).abs() for found in (result, accurate))
    assert 5e-4 < float(miss.max()) < 2e-3  # "a tenth of a percent"
    assert float(less.max()) < 0.5 * float(miss.max())
    choice = scope["choice"]
    assert choice.torque_error <= choice.asked
    assert (scope["field"].cutoff, scope["field"].moments) == (choice.cutoff, choice.moments)


def test_energy_at_fixed_filling_is_conserved() -> None:
    """F = Omega + mu N without damping; and, a positive control, Omega at that moving mu is not."""
    lattice = sdgnn.Lattice.square(6, 6)
    field = sdgnn.TruncatedField(sdgnn.SDModel(lattice, exchange=3.0), 0.1, filling=0.3, cutoff=3, moments=21)
    start = sdgnn.spins.random(lattice, seed=1)
    run = sdgnn.simulate(field, start, sdgnn.ImplicitMidpoint(dt=0.5, damping=0.0), steps=60, seed=0)
    states = torch.stack([start[0], run.spins[0]])
    first, last = (field(state[None]) for state in states)
    electrons = 2 * lattice.n_sites * 0.3
    change = float(last.energy - first.energy)
    control = change - electrons * float(last.mu - first.mu)
    # the integrator's own error is what remains, of second order: 2.3e-4, and 9.4e-4 with twice the step
    assert abs(change) < 5e-4
    assert abs(control) > 0.05


def test_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page is one of the benchmark's, and every subcommand stands on the page."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    parsed = importlib.import_module("truncated").parsed
    commands = re.findall(r"python benchmarks/truncated\.py ([^`\n]+)", PAGE)
    found = {parsed(shlex.split(command)).run.__name__ for command in commands}
    assert found == {
        "targets", "dial", "published", "hamiltonians", "convergence", "rules", "spin_orbit", "spin_orbit_time",
        "timing", "compiling", "figure",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        parsed(["nothing-of-the-kind"])
