"""Runs of fields that hold other fields, against runs of those stepped by hand: bit by bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import sdgnn
from sdgnn import Heun, ImplicitMidpoint, Lattice, simulate
from sdgnn.cli.commands.dynamics import Timed
from sdgnn.dynamics.domain_decomposition import Subdomain, SubdomainField
from sdgnn.dynamics.observers import external_field
from sdgnn.fields import Field, Heisenberg, Sum, Zeeman
from sdgnn.fields.schedules import Sweep
from sdgnn.nn import EquivariantNetwork, EquivariantSettings
from sdgnn.nn.committee import Committee, CommitteeField

LATTICE = Lattice.triangular(4, 4)
FIELD = Heisenberg(LATTICE, [1.0]) + Zeeman(LATTICE, (0.2, 0.0, 1.0), Sweep(high=2.0, low=-2.0, period=1.0))
MEMBERS = Committee([EquivariantNetwork(EquivariantSettings(layers=1, channels=1), LATTICE, k) for k in (0, 1)])
WRAPPED: dict[str, Callable[[Field], Field]] = {
    "sum": Sum,
    "timed": Timed,
    "subdomain": lambda field: SubdomainField(field, Subdomain(LATTICE, (4,), 0, 0)),
    "committee of two alike": lambda field: CommitteeField(MEMBERS, [field, field]),
}


@pytest.mark.parametrize("integrator", [Heun(dt=0.05, damping=0.1, kT=0.2), ImplicitMidpoint(dt=0.05, damping=0.1)],
                         ids=lambda integrator: type(integrator).__name__)  # fmt: skip
@pytest.mark.parametrize("name", WRAPPED)
def test_a_run_of_a_wrapper_is_that_of_what_it_holds(name: str, integrator: Heun | ImplicitMidpoint) -> None:
    """Half a period of an external field that turns round; as it is at time 0 it leads elsewhere (the control)."""
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    states = {"driven": FIELD, "frozen": Heisenberg(LATTICE, [1.0]) + Zeeman(LATTICE, (0.4, 0.0, 2.0))}
    ends = {}
    for what, field in states.items():
        state = integrator.init(field, spins, seed=3)
        for _ in range(10):
            state = integrator.step(field, state)
        ends[what] = state.spins
    run = simulate(WRAPPED[name](FIELD), spins, integrator, 10, seed=3, observers=[external_field(FIELD, 5)])
    assert torch.equal(run.spins, ends["driven"])
    assert float((run.spins - ends["frozen"]).abs().max()) > 0.1
    assert run.trajectory["external_field"].values[:, 0, 2].tolist() == pytest.approx([2.0, 0.0, -2.0], abs=1e-12)
