"""How much of each named order is there, on lattices with several sites per cell too: orders tell their own modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.analysis.spectra.static import require_crystal
from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.fields.protocol import check_spins
from sdgnn.lattice import Lattice

SMALLEST = 1e-9
"""Amplitudes of a perfect order that count as zero."""


def _stripe(lattice: Lattice, axis: int) -> Tensor:
    """Stripes where they are an order of their own: on chains they are Neel, on cubic lattices A-type order."""
    if lattice.name not in ("square", "triangular"):
        raise UserError(f"the weight of stripes on {lattice!r}", allowed="square and triangular lattices")
    return textures.stripe(lattice, axis)


def _diagonal_stripe(lattice: Lattice) -> Tensor:
    """The third direction of stripes on a triangular lattice: their sign alternates along both primitive vectors."""
    if lattice.name != "triangular":
        raise UserError(f"diagonal stripes on {lattice!r}", allowed="triangular lattices")
    return textures.stripe(lattice, 0)[..., 2:] * textures.stripe(lattice, 1)


DIRECTIONS: dict[str, tuple[Callable[[Lattice], Tensor], ...]] = {
    "ferro": (textures.ferro,),
    "neel": (textures.neel,),
    "stripe": (
        partial(_stripe, axis=0),
        partial(_stripe, axis=1),
        _diagonal_stripe,
    ),
    "order120": (textures.order120,),
    "tetrahedral": (textures.tetrahedral,),
    "q0": (textures.q0,),
    "sqrt3": (textures.sqrt3,),
    "zigzag": tuple(partial(textures.zigzag, bond=bond) for bond in range(3)),
    "stripy": tuple(partial(textures.stripy, bond=bond) for bond in range(3)),
    "a_type": tuple(partial(textures.a_type, axis=axis) for axis in range(3)),
    "c_type": tuple(partial(textures.c_type, axis=axis) for axis in range(3)),
}
"""Every order by name, in each direction that it can take; chiralities share their modes."""


class _Mode(NamedTuple):
    """A wave vector of an order and what its sublattices do there."""

    place: tuple[int, ...]
    """Whole multiples of the cell's reciprocal vectors."""
    vectors: Complex[np.ndarray, "basis rank"]
    """Orthonormal columns that span the amplitudes of the sublattices."""


def order_weight(spins: Numbers, lattice: Lattice, order: str) -> Float[Tensor, " replica"]:
    """Share of all spins' weight in the modes of a named order, (replica,)::

        sdgnn.analysis.order_weight(spins, sdgnn.Lattice.kagome(6, 6), "sqrt3")

        W = (n_basis / N^2) sum_Q sum_m |sum_b u_mb^* A_b(Q)|^2,    A_b(Q) = sum_(cells R) S_(R, b) exp(-i Q . R)

    with Q the wave vectors of the perfect order and u_m orthonormal vectors over the sublattices b that span what the
    order does there, in all directions that it can take; both are read off the states of :mod:`sdgnn.spins`. 1 in the
    perfect order whatever its direction, chirality, domain and global rotation; with one site per cell that is
    :func:`.bragg_weight` at :func:`.order_peaks`. On honeycomb and kagome lattices it tells orders with the same wave
    vector apart, as the ferromagnet, Neel and q = 0 order at Q = 0. Random states have about one over N for each mode.
    Tetrahedral order and stripes share their modes, and differ in their chirality.

    Raises UserError on an unknown order and on lattices that the order does not fit, saying which do.
    """
    modes = _modes(lattice, order)
    states = check_spins(spins, lattice)
    shape = require_crystal(lattice)
    amplitude = torch.fft.fftn(
        states.double().reshape(len(states), *shape, lattice.n_basis, 3), dim=tuple(range(1, 1 + len(shape)))
    )
    total = torch.zeros(len(states), dtype=torch.float64, device=states.device)
    for mode in modes:
        there = amplitude[(slice(None), *mode.place)]
        seen = torch.einsum("bm,rba->rma", torch.from_numpy(mode.vectors.conj()).to(there), there)
        total = total + seen.abs().square().sum((1, 2))
    return total * lattice.n_basis / lattice.n_sites**2


def order_weights(spins: Numbers, lattice: Lattice) -> dict[str, Float[Tensor, " replica"]]:
    """:func:`order_weight` of every order that fits the lattice, by name: which order is a state in?"""
    return {order: order_weight(spins, lattice, order) for order in fitting_orders(lattice)}


def require_order(lattice: Lattice, order: str) -> None:
    """UserError unless there is an order of that name that fits the lattice."""
    _modes(lattice, order)


def fitting_orders(lattice: Lattice) -> tuple[str, ...]:
    """Names of the orders that fit a crystal; q0 stands for order120 where both mean the same."""
    require_crystal(lattice)
    names = [name for name in DIRECTIONS if next(_states(lattice, name), None) is not None]
    return tuple(name for name in names if name != "order120" or "q0" not in names)


def _states(lattice: Lattice, order: str) -> Iterator[Float[np.ndarray, "site 3"]]:
    """The perfect order in each direction that fits the lattice."""
    for make in DIRECTIONS[order]:
        try:
            yield make(lattice)[0].numpy()
        except UserError:
            continue


@lru_cache(maxsize=64)
def _modes(lattice: Lattice, order: str) -> tuple[_Mode, ...]:
    """The modes of an order. Raises UserError where it has none."""
    if order not in DIRECTIONS:
        raise UserError(
            f"an order named {order!r}", allowed=", ".join(DIRECTIONS), fix=did_you_mean(order, list(DIRECTIONS))
        )
    shape = require_crystal(lattice)
    states = list(_states(lattice, order))
    if not states:
        DIRECTIONS[order][0](lattice)  # says which lattices it fits
        raise UserError(f"{order} order on {lattice!r}", allowed=", ".join(fitting_orders(lattice)))
    whole = np.stack(states).reshape(-1, *shape, lattice.n_basis, 3)
    amplitudes = np.fft.fftn(whole, axes=range(1, 1 + len(shape)), norm="forward")
    by_place = np.moveaxis(amplitudes, 0, -3)
    places = [tuple(map(int, place)) for place in np.argwhere(np.abs(by_place).max((-3, -2, -1)) > SMALLEST)]
    return tuple(_mode(place, by_place[place]) for place in places)


def _mode(place: tuple[int, ...], amplitudes: Complex[np.ndarray, "state basis 3"]) -> _Mode:
    """Orthonormal vectors over the basis that span the amplitudes of all states and components."""
    columns = amplitudes.transpose(1, 0, 2).reshape(amplitudes.shape[1], -1)
    vectors, strengths, _ = np.linalg.svd(columns, full_matrices=False)
    return _Mode(place, np.ascontiguousarray(vectors[:, strengths > SMALLEST]))
