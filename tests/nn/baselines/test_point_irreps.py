"""Irreps of point groups, multiplets of what they permute, and couplings, against group theory."""

from __future__ import annotations

import numpy as np
import pytest

from sdgnn import Lattice
from sdgnn.nn.baselines.neighbourhood import Neighbourhood
from sdgnn.nn.baselines.point_irreps import Item, couplings, irreps, multiplets, orbits

DIMENSIONS = {
    "chain": [1, 1],
    "square": [1, 1, 1, 1, 2],
    "triangular": [1, 1, 1, 1, 2, 2],
    "honeycomb": [1, 1, 2],
    "kagome": [1, 1, 1, 1],
    "cubic": [1, 1, 1, 1, 2, 2, 3, 3, 3, 3],
}
"""Of C2, D4, D6, D3, D2 and Oh, from character tables."""
LATTICES = [
    Lattice.chain(9),
    Lattice.square(6, 6),
    Lattice.triangular(6, 6),
    Lattice.honeycomb(4, 4),
    Lattice.kagome(3, 3),
    Lattice.cubic(3, 3, 3),
]

every_lattice = pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)


def around(lattice: Lattice) -> Neighbourhood:
    return Neighbourhood.of(lattice, float(lattice.shell_distances(2)[-1]))


@every_lattice
def test_irreps_are_those_of_the_character_table(lattice: Lattice) -> None:
    """Right dimensions, homomorphisms, orthogonal characters, the trivial one first."""
    group = around(lattice).matrices
    found = irreps(group)
    assert [d.shape[1] for d in found] == DIMENSIONS[lattice.name]
    assert np.allclose(found[0], 1)
    product = np.einsum("gab,hbc->ghac", group, group)
    table = np.abs(product[:, :, None] - group).max((3, 4)).argmin(2)
    for d in found:
        np.testing.assert_allclose(np.einsum("gab,hbc->ghac", d, d), d[table], atol=1e-10)
    characters = np.array([np.trace(d, axis1=1, axis2=2) for d in found])
    np.testing.assert_allclose(characters @ characters.T / len(group), np.eye(len(found)), atol=1e-10)


@every_lattice
def test_multiplets_span_everything_and_turn_as_their_irrep_does(lattice: Lattice) -> None:
    neighbourhood = around(lattice)
    order = len(neighbourhood.matrices)

    def act(g: int, item: Item) -> tuple[Item, int]:
        return (int(neighbourhood.images[g, item[0]]),), 1

    items = [(k,) for k in range(len(neighbourhood))]
    for orbit in orbits(items, act, order):
        rows = []
        for d in irreps(neighbourhood.matrices):
            for multiplet in multiplets(orbit, act, d):
                rows += list(multiplet)
                for g in range(order):
                    carried = np.empty_like(multiplet)
                    carried[:, [orbit.index(act(g, item)[0]) for item in orbit]] = multiplet
                    np.testing.assert_allclose(carried, d[g].T @ multiplet, atol=1e-10)
        np.testing.assert_allclose(np.array(rows) @ np.array(rows).T, np.eye(len(orbit)), atol=1e-10)


def test_an_item_carried_onto_its_negative_has_no_invariant() -> None:
    """A pseudoscalar under the reflections of a chain."""
    chain = around(Lattice.chain(9))

    def act(g: int, item: Item) -> tuple[Item, int]:
        return item, round(float(chain.matrices[g, 0, 0]))

    trivial, odd = irreps(chain.matrices)
    assert len(multiplets([(0,)], act, trivial)) == 0
    assert len(multiplets([(0,)], act, odd)) == 1


def test_couplings_of_the_square() -> None:
    """E x E = A1 + A2 + B1 + B2: one coupling with each. Of one vector with itself, A2, antisymmetric, is none."""
    *ones, two = irreps(around(Lattice.square(6, 6)).matrices)
    assert [len(couplings(two, two, one, same=(0, 1, 2))) for one in ones] == [1, 1, 1, 1]
    assert sorted(len(couplings(two, two, one, same=(0, 0, 2))) for one in ones) == [0, 1, 1, 1]
    tensor = couplings(two, two, two, same=(0, 1, 2))
    assert len(tensor) == 0, "E x E x E holds no invariant in D4"


def test_couplings_are_invariant() -> None:
    found = irreps(around(Lattice.cubic(3, 3, 3)).matrices)
    first, second, third = found[6], found[7], found[8]
    for tensor in couplings(first, second, third, same=(0, 1, 2)):
        turned = np.einsum("gad,gbe,gcf,def->gabc", first, second, third, tensor)
        np.testing.assert_allclose(turned, np.broadcast_to(tensor, turned.shape), atol=1e-10)


@every_lattice
def test_neighbourhoods_of_all_sites_are_images_of_the_first(lattice: Lattice) -> None:
    neighbourhood = around(lattice)
    sites = neighbourhood.sites(lattice)
    for site in range(lattice.n_sites):
        turned = neighbourhood.vectors @ neighbourhood.orientation[site % lattice.n_basis].T
        np.testing.assert_array_equal(sites[site], lattice.find(lattice.positions[site] + turned))
