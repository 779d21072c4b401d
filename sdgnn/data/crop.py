"""Periodic cuts of large crystals: pieces small enough for an exact solver."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


def check_crop(lattice: Lattice, smaller: Lattice) -> None:
    """Raises UserError unless ``smaller`` is a crystal of the family of ``lattice``, no larger along any axis."""
    if lattice.shape is None or smaller.shape is None or not lattice.same_family(smaller):
        raise UserError(f"a cut {smaller!r} of {lattice!r}", allowed="crystals of one family")
    if any(small > large for small, large in zip(smaller.shape, lattice.shape, strict=True)):
        raise UserError(
            f"a cut of {smaller.shape} unit cells from {lattice.shape}", allowed="at most as many along each axis"
        )


def crop(
    spins: Float[Tensor, "state site 3"], lattice: Lattice, smaller: Lattice, corner: tuple[int, ...]
) -> Float[Tensor, "state small_site 3"]:
    """The spins of the unit cells from ``corner`` on, as states of the periodic crystal ``smaller``.

    Bonds across the new boundary join spins that were apart: a seam, which is why labels are computed for the cut
    itself and never taken over from the large lattice. Raises UserError as :func:`check_crop` does.
    """
    check_crop(lattice, smaller)
    return spins[:, torch.from_numpy(_sites(lattice, smaller, corner)).to(spins.device)]


def largest_corner(weights: Float[np.ndarray, " site"], lattice: Lattice, smaller: Lattice) -> tuple[int, ...]:
    """Corner of the cut that holds the largest sum of a site's ``weights``, the first one where several do."""
    check_crop(lattice, smaller)
    assert lattice.shape is not None and smaller.shape is not None
    sums = weights.reshape(*lattice.shape, -1).sum(-1)
    for axis, (small, large) in enumerate(zip(smaller.shape, lattice.shape, strict=True)):
        if small == large:
            sums = np.broadcast_to(sums.sum(axis, keepdims=True), sums.shape)
        else:
            sums = np.sum([np.roll(sums, -step, axis) for step in range(small)], axis=0)
    # sums of equal windows differ in their last digits with the order of the additions
    best = int(np.flatnonzero(sums.ravel() >= sums.max() * (1 - 1e-12))[0])
    return tuple(int(i) for i in np.unravel_index(best, lattice.shape))


def _sites(lattice: Lattice, smaller: Lattice, corner: tuple[int, ...]) -> np.ndarray:
    """Site of the large lattice for each site of the small one."""
    assert lattice.shape is not None and smaller.shape is not None
    axes = [(start + np.arange(small)) % large for start, small, large in zip(corner, smaller.shape, lattice.shape)]
    cells = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), lattice.shape).ravel()
    return (cells[:, None] * lattice.n_basis + np.arange(lattice.n_basis)).ravel()
