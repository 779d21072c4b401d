"""What is estimated of a run against the run: memory and time within stated factors."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from sdgnn import ExactField, Heun, ImplicitMidpoint, Lattice, SDModel, SemiImplicitB, simulate, spins
from sdgnn.common.errors import UserError
from sdgnn.common.memory import Counted
from sdgnn.dynamics import Estimate, estimate, estimates
from sdgnn.dynamics.estimates import duration
from sdgnn.electrons import KPMField
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

FACTOR = 2.0
"""Within which times are estimated on a machine whose load does not change."""
MEMORY_FACTOR = 1.3
"""Within which memory is."""

STEP = """
import sys, torch, sdgnn
from sdgnn.dynamics import estimate
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

def peak():
    # unlike ru_maxrss, which starts from what the parent took, this is the process's own
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

size, memory = int(sys.argv[1]), float(sys.argv[2])
lattice = sdgnn.Lattice.triangular(size, size)
network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice)
small = sdgnn.Lattice.triangular(4, 4)
network.on(small)(sdgnn.spins.random(small, seed=0, dtype=torch.float32))  # libraries are imported
with open("/proc/self/clear_refs", "w") as peaks:
    peaks.write("5")  # forget the peak of importing
field = network.on(lattice, memory=memory)
spins = sdgnn.spins.random(lattice, seed=0, dtype=torch.float32)
integrator = sdgnn.Heun(dt=0.1, damping=0.1, kT=0.01)
state = integrator.init(field, spins)
before = peak()
if sys.argv[3] == "estimate":
    print(before, estimate(field, spins, integrator, 1).memory, len(field._blocks[1]))
else:
    integrator.step(field, state)
    print(before, peak(), len(field._blocks[1]))
"""


def measured_step(size: int, memory: float) -> tuple[float, float, float, int]:
    """Bytes before, estimated and at the peak of one step, each in a process of its own, and the number of blocks."""
    found = []
    for what in ("estimate", "step"):
        command = [sys.executable, "-c", STEP, str(size), str(memory), what]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, largest, blocks = map(float, done.stdout.split())
        found.append(largest)
    return before, *found, int(blocks)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_memory_of_a_step_is_estimated() -> None:
    before, expected, peak, blocks = measured_step(256, 0.3)
    assert blocks > 1
    assert peak > before + 0.2e9  # there is something to estimate
    assert peak / MEMORY_FACTOR < expected < peak * MEMORY_FACTOR


@pytest.mark.slow
def test_four_million_spins_step_within_4_gb() -> None:
    """2048 x 2048 spins in float32: the arrays as large as the lattice are the same for every network, and its blocks
    take what they may, 2 GB."""
    _, expected, peak, blocks = measured_step(2048, 2.0)
    assert blocks > 1
    assert peak < 4e9
    assert peak / MEMORY_FACTOR < expected < peak * MEMORY_FACTOR


@pytest.mark.parametrize("scheme", [Heun, SemiImplicitB, ImplicitMidpoint])
def test_time_is_estimated(scheme: type) -> None:
    """At the latest the fifth time: another process may take the machine meanwhile."""
    lattice = Lattice.triangular(40, 40)
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice)
    state = spins.random(lattice, replicas=3, seed=0, dtype=torch.float32)
    integrator = scheme(dt=0.1, damping=0.1, kT=0.01)
    field = network.on(lattice, memory=0.75 * lattice.n_sites * network.on(lattice).bytes_per_site / 1e9)
    ratios: list[float] = []
    while len(ratios) < 5 and not any(1 / FACTOR < ratio < FACTOR for ratio in ratios):
        expected = estimate(field, state, integrator, steps=3)
        start = time.perf_counter()
        simulate(field, state, integrator, steps=3, observers=[])
        ratios.append((time.perf_counter() - start) / expected.seconds)
    assert any(1 / FACTOR < ratio < FACTOR for ratio in ratios), ratios


def test_an_estimate_is_that_of_two_steps_or_of_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lattice = Lattice.square(6, 6)

    class Counting(Field):
        """A field that counts its evaluations."""

        def __init__(self) -> None:
            self.lattice, self.count = lattice, 0

        def evaluate(self, spins: torch.Tensor, time: Time) -> FieldResult:
            self.count += 1
            return FieldResult(spins.new_zeros(len(spins)), torch.ones_like(spins))

    state = spins.random(lattice, replicas=3, seed=0)
    for long, steps in ((10.0, 2), (1e-9, 1)):
        monkeypatch.setattr(estimates, "LONG", long)
        for integrator in (Heun(dt=0.1, damping=[0.1] * 3), SemiImplicitB(dt=0.1, damping=0.1, kT=0.2)):
            field = Counting()
            estimate(field, state, integrator, steps=10)
            assert field.count == 2 * steps


def test_a_run_that_does_not_fit_is_refused() -> None:
    expected = Estimate(steps=10, step_seconds=2.5, memory=3e9)
    expected.check(3.1)
    with pytest.raises(UserError, match="about 3 GB"):
        expected.check(2.9)
    assert expected.seconds == 25.0
    assert "25 s for 10 steps" in str(expected)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.042, "0.042 s"), (59.0, "59 s"), (200.0, "3 min 20 s"), (18600.0, "5 h 10 min"), (187200.0, "2 d 4 h")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_counted_follows_tensors_through_their_lives() -> None:
    with Counted() as counted:
        first = torch.zeros(1000, dtype=torch.float64)
        view = first[:500]
        assert counted.alive == 8000  # a view takes nothing
        second = first + 1
        assert counted.alive == 16000
        del first
        assert counted.alive == 16000  # the view holds it
        del view
        assert counted.alive == 8000
    assert counted.peak == 16000
    assert len(second) == 1000


def test_counted_knows_sparse_tensors() -> None:
    with Counted() as counted:
        places = torch.zeros(2, 10, dtype=torch.int64)
        values = torch.ones(10, dtype=torch.float64)
        matrix = torch.sparse_coo_tensor(places, values, (4, 4), is_coalesced=True)
        assert counted.alive == 2 * 10 * 8 + 10 * 8  # indices and values are those given
        dense = matrix.to_dense()
        assert counted.alive == 3 * 10 * 8 + 16 * 8
        assert float(dense[0, 0]) == 10


@pytest.mark.parametrize("solver", [ExactField, KPMField])
def test_runs_with_electrons_are_estimated_and_run(solver: type) -> None:
    lattice = Lattice.square(4, 4)
    field = solver(SDModel(lattice, exchange=2.0), kT=0.2, filling=0.25)
    state = spins.random(lattice, seed=0)
    integrator = Heun(dt=0.1, damping=0.1)
    expected = estimate(field, state, integrator, 2)
    assert simulate(field, state, integrator, 2).spins.shape == (1, 16, 3)
    if solver is ExactField:
        assert expected.memory > 2 * 16 * 32**2  # H and its eigenvectors, complex128


def test_counted_sees_what_a_backward_pass_keeps() -> None:
    with Counted() as counted:
        x = torch.ones(1000, dtype=torch.float64, requires_grad=True)
        y = x.sigmoid().sigmoid().sigmoid()
        assert counted.alive == 4 * 8000  # x and three results, two of which the graph alone holds
        y.sum().backward()
        del y
        assert counted.alive == 2 * 8000  # x and its gradient
