"""Irreducible representations of a point group, and of what it permutes, found numerically for any group."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise, permutations

import numpy as np
from jaxtyping import Float

Item = tuple[int, ...]
"""What a group permutes: members of a neighbourhood."""
Action = Callable[[int, Item], tuple[Item, int]]
"""The item onto which an operation, given by its number, carries an item, and the sign +1 or -1 it comes with."""

EXACT = 1e-8
"""Numbers of a group of at most 48 elements that differ by less are equal."""


def irreps(matrices: Float[np.ndarray, "operation dim dim"]) -> list[Float[np.ndarray, "operation _ _"]]:
    """Real orthogonal irreps D(g) of a group of matrices, the trivial one first, then by dimension.

    A generic symmetric element of the group algebra, acting on the regular representation from the right, commutes with
    the action from the left; each of its eigenspaces carries one irrep (Dixon, Math. Comp. 24, 707 (1970),
    doi:10.1090/S0025-5718-1970-0280611-6, has the idea). Each irrep is returned once.
    """
    order = len(matrices)
    product = np.einsum("gab,hbc->ghac", matrices, matrices)
    table = np.abs(product[:, :, None] - matrices).max((3, 4)).argmin(2)
    unit = int(np.abs(matrices - np.eye(matrices.shape[1])).max((1, 2)).argmin())
    inverse = (table == unit).argmax(1)
    generic = np.sqrt(np.arange(2.0, order + 2))
    generic = generic + generic[inverse]
    # right[h, g]: coefficient with which e_h becomes e_g under sum_k generic_k (e_h -> e_(h k))
    right = np.zeros((order, order))
    for k in range(order):
        right[np.arange(order), table[:, k]] += generic[k]
    values, vectors = np.linalg.eigh(right)
    found: dict[tuple[float, ...], np.ndarray] = {}
    edges = [0, *(np.flatnonzero(np.diff(values) > EXACT) + 1), order]
    for start, stop in pairwise(edges):
        space = vectors[:, start:stop]
        # the left action of g carries e_h onto e_(g h)
        representation = np.stack([space[table[g]].T @ space for g in range(order)])
        character = tuple(np.round(np.trace(representation, axis1=1, axis2=2), 4) + 0.0)
        found.setdefault(character, representation)
    return [found[key] for key in sorted(found, key=lambda key: (max(key), [-c for c in key]))]


def orbits(items: Iterable[Item], act: Action, order: int) -> list[list[Item]]:
    """The items in groups that the operations 0, ..., order - 1 carry into each other, in order of appearance."""
    left = dict.fromkeys(items)
    found = []
    while left:
        first = next(iter(left))
        orbit = list(dict.fromkeys(act(g, first)[0] for g in range(order)))
        for item in orbit:
            del left[item]
        found.append(orbit)
    return found


def multiplets(
    orbit: list[Item],
    act: Action,
    representation: Float[np.ndarray, "operation row row"],
) -> Float[np.ndarray, "multiplet row item"]:
    """Orthonormal combinations of an orbit's items that transform with D(g): w_m = sum_g D_mn(g) g e_0.

    Every copy of the irrep in the orbit's span is found, from the first item e_0 with n = 1, 2, ...
    """
    order, dim, _ = representation.shape
    place = {item: k for k, item in enumerate(orbit)}
    image = np.zeros((order, len(orbit)))
    for g in range(order):
        item, sign = act(g, orbit[0])
        image[g, place[item]] = sign
    copies = np.einsum("gmn,gi->nmi", representation, image)
    gram = np.einsum("nmi,kmi->nk", copies, copies) / dim
    values, mixing = np.linalg.eigh(gram)
    kept = values > EXACT * order**2
    return np.einsum("nr,nmi->rmi", mixing[:, kept] / np.sqrt(values[kept]), copies)


def couplings(
    first: Float[np.ndarray, "operation a a"],
    second: Float[np.ndarray, "operation b b"],
    third: Float[np.ndarray, "operation c c"],
    same: tuple[int, int, int],
) -> Float[np.ndarray, "coupling a b c"]:
    """Invariant tensors C with sum C_abc x_a y_b z_c unchanged by the group (its Clebsch-Gordan coefficients).

    Where entries of ``same`` are equal, the vectors are the same one, and only tensors symmetric in them are kept.
    """
    shape = (first.shape[1], second.shape[1], third.shape[1])
    size = int(np.prod(shape))
    average = np.einsum("gad,gbe,gcf->abcdef", first, second, third).reshape(size, size) / len(first)
    swaps = [p for p in permutations(range(3)) if all(same[p[k]] == same[k] for k in range(3))]
    symmetric = np.zeros((size, size))
    for p in swaps:
        symmetric += np.eye(size).reshape(*shape, size).transpose(*p, 3).reshape(size, size) / len(swaps)
    values, vectors = np.linalg.eigh(average @ symmetric @ average)
    return vectors[:, values > 1 - 1e-6].T.reshape(-1, *shape)
