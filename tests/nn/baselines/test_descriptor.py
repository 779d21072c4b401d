"""The descriptor: invariant under the group, complete beyond it, and each part needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sdgnn import Lattice, spins
from sdgnn.nn.baselines.descriptor import Descriptor
from sdgnn.nn.baselines.neighbourhood import Neighbourhood

LATTICES = [Lattice.square(6, 6), Lattice.triangular(6, 6), Lattice.kagome(3, 3)]


def made(lattice: Lattice, shells: int = 2, sides: int = 2) -> tuple[Neighbourhood, Descriptor]:
    distances = [0.0, *map(float, lattice.shell_distances(4))]
    around = Neighbourhood.of(lattice, distances[shells])
    return around, Descriptor(around, distances[shells], distances[sides])


def states(members: int, count: int = 3, seed: int = 1) -> Tensor:
    return spins.random(Lattice.chain(members), count, seed)


def permuted(state: Tensor, images: np.ndarray) -> Tensor:
    moved = torch.empty_like(state)
    moved[:, torch.from_numpy(images)] = state
    return moved


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_invariance(lattice: Lattice) -> None:
    around, descriptor = made(lattice)
    state = states(len(around))
    before = descriptor(state)
    for images in around.images:
        torch.testing.assert_close(descriptor(permuted(state, images)), before, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(descriptor(-state), before, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(descriptor(spins.rotate_randomly(state[:1])), before[:1], rtol=1e-9, atol=1e-9)


def independent(function: Callable[[Tensor], Tensor], state: Tensor) -> int:
    """Number of independent slopes of a function of one state."""
    slopes = torch.autograd.functional.jacobian(lambda s: function(s)[0], state).flatten(1)
    values = torch.linalg.svdvals(slopes)
    return int((values > 1e-6 * values[0]).sum())


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_completeness(lattice: Lattice) -> None:
    """A finite group identifies single points, so as many invariants are independent as products and chiralities are.

    n free spins up to a rotation are 3 n - 3 numbers. On kagome, members too far apart to share products leave one out.
    """
    around, descriptor = made(lattice)
    state = states(len(around), count=1)
    assert independent(descriptor, state) == independent(descriptor.coefficients, state)
    if lattice.name != "kagome":
        assert independent(descriptor, state) == 3 * len(around) - 3


def test_the_power_spectrum_alone_is_not_complete() -> None:
    """Positive control of the above: of the two numbers of a multiplet of E, |f|^2 keeps one."""
    around, descriptor = made(Lattice.square(6, 6))
    coefficients = descriptor.coefficients(states(len(around), count=1))

    def power(values: Tensor) -> Tensor:
        parts = [values[:, b.start : b.start + b.count * b.dim].view(-1, b.count, b.dim) for b in descriptor.multiplets]
        return torch.cat([part.square().sum(-1) for part in parts], dim=1)

    assert independent(descriptor.invariants, coefficients) == coefficients.shape[1]
    assert independent(power, coefficients) == sum(kind.count for kind in descriptor.multiplets)
    assert sum(kind.count for kind in descriptor.multiplets) < coefficients.shape[1]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_a_permutation_that_is_no_symmetry_is_seen(lattice: Lattice) -> None:
    around, descriptor = made(lattice)
    state = states(len(around))
    images = np.arange(len(around))
    images[[1, 2]] = images[[2, 1]]
    assert float((descriptor(permuted(state, images)) - descriptor(state)).norm()) > 1e-2


def test_references_tell_what_the_power_spectrum_does_not() -> None:
    """Turning the multiplets of one irrep against those of others leaves |f|^2 alone; the bispectrum sees it."""
    _, descriptor = made(Lattice.triangular(6, 6))
    coefficients = descriptor.coefficients(states(descriptor_members(descriptor)))
    before = descriptor.invariants(coefficients)
    (kind, other) = [b for b in descriptor.multiplets if b.dim == 2][:2]
    angle = torch.tensor(0.7, dtype=torch.float64)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    rows = slice(kind.start, kind.start + kind.count * kind.dim)
    whole = coefficients.clone()
    whole[:, rows] = (whole[:, rows].reshape(-1, kind.count, 2) @ turn.T).flatten(1)
    changed = (descriptor.invariants(whole) - before).abs().amax(0) > 1e-9
    assert not bool(changed[: len(changed) - len(descriptor._couplings)].any()), "phases within one irrep stay"
    assert bool(changed.any()), "phases between irreps do not"
    one = coefficients.clone()
    rows = slice(other.start, other.start + 2)
    one[:, rows] = one[:, rows] @ turn.T
    seen = (descriptor.invariants(one) - before).abs().amax(0) > 1e-9
    assert bool(seen[: len(seen) - len(descriptor._couplings)].any()), "phases to the reference are seen"


def descriptor_members(descriptor: Descriptor) -> int:
    return int(descriptor.pairs.max()) + 1


def test_chiralities_tell_what_products_do_not() -> None:
    """Members 1 to 6 lie around 0 in a hexagon; 2 is a neighbour of 0, 1 and 3 alone. With these three in one plane,
    mirroring spin 2 through it keeps all products of neighbours and reverses two chiralities."""
    around, both = made(Lattice.triangular(6, 6), shells=1, sides=1)
    products = Descriptor(around, 1.0, 0.0)
    state = states(len(around), count=1)
    state[:, 3] = (state[:, 0] + state[:, 1]) / (state[:, 0] + state[:, 1]).norm(dim=-1, keepdim=True)
    normal = torch.linalg.cross(state[:, 0], state[:, 1])
    normal = normal / normal.norm(dim=-1, keepdim=True)
    mirrored = state.clone()
    mirrored[:, 2] -= 2 * (mirrored[:, 2] * normal).sum(-1, keepdim=True) * normal
    torch.testing.assert_close(products(mirrored), products(state), rtol=1e-9, atol=1e-9)
    assert float((both(mirrored) - both(state)).norm()) > 1e-2


def test_features_have_mean_zero_and_size_one_on_random_spins() -> None:
    around, descriptor = made(Lattice.square(6, 6))
    features = descriptor(states(len(around), count=4000, seed=9))
    # standard error of means of 4000 and 2048 samples: 0.027; the largest of 60 is below five times that
    assert float(features.mean(0).abs().max()) < 0.14
    # higher powers have heavier tails
    assert float((features.std(0) - 1).abs().max()) < 0.3
