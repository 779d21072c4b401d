"""Models that come with the package, judged by the exact field they stand for."""

from __future__ import annotations

import pytest

import sdgnn
from sdgnn.data import LabelSet
from sdgnn.nn.storage import SHIPPED, SUFFIX
from sdgnn.train import baselines, judge

NAMES = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


def test_there_is_a_shipped_model() -> None:
    assert "triangular-tetrahedral" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_file_is_small_and_says_what_it_is(name: str) -> None:
    assert (SHIPPED / f"{name}{SUFFIX}").stat().st_size < 2**20
    physics = sdgnn.load(name).provenance["training"]["physics"]
    assert physics["hamiltonian"]["hopping"] == [1.0]
    assert {"kT", "filling"} <= physics.keys()


@pytest.mark.parametrize("name", NAMES)
def test_fresh_exact_labels_confirm_the_model(name: str) -> None:
    """Two random states of 12 x 12 sites, smaller than the training lattice: finite size costs a little accuracy, so
    0.9 is asked for here; the model card has the error at the training size."""
    network = sdgnn.load(name)
    physics = network.provenance["training"]["physics"]
    lattice = network.family.resized(12, 12)
    model = sdgnn.SDModel(lattice, **physics["hamiltonian"])
    exact = sdgnn.ExactField(model, kT=physics["kT"], filling=physics["filling"])
    spins = sdgnn.spins.random(lattice, replicas=2, seed=4321)
    result = exact(spins)
    labels = LabelSet(lattice, spins, result.field, result.energy)
    metrics = judge(network.on(lattice), labels)
    assert metrics.torque_r2 > 0.9
    for field in baselines([labels], lattice).values():
        assert judge(field, labels).torque_r2 < metrics.torque_r2 - 0.1
