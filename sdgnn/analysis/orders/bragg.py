"""How much of an order is there: weight of its Bragg peaks, and overlap with a reference state up to a rotation."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.spectra.static import require_crystal, structure_factor_at
from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import check_spins
from sdgnn.lattice import Lattice

PEAKS: dict[str, dict[str, tuple[tuple[float, ...], ...]]] = {
    "ferro": {
        name: ((0.0,) * dim,)
        for name, dim in {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}.items()
    },
    "neel": {"chain": ((0.5,),), "square": ((0.5, 0.5),), "cubic": ((0.5, 0.5, 0.5),)},
    "stripe": {"square": ((0.5, 0.0), (0.0, 0.5)), "triangular": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))},
    "order120": {"triangular": ((1 / 3, 2 / 3), (2 / 3, 1 / 3))},
    "sqrt3": {"kagome": ((1 / 3, 2 / 3), (2 / 3, 1 / 3))},
    "zigzag": {"honeycomb": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))},
    "stripy": {"honeycomb": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))},
    "a_type": {"cubic": ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5))},
    "c_type": {"cubic": ((0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))},
    "tetrahedral": {"triangular": ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5))},
}
"""Bragg peaks of each order by family of lattices, in fractions of the reciprocal primitive vectors."""


def order_peaks(order: str, lattice: Lattice) -> Float[np.ndarray, "peak dim"]:
    """Wave vectors of an order of :data:`PEAKS` on ``lattice``, for ``order=`` of the domain lengths too.

    Stripes have the peaks of all directions they can take. Raises UserError on an unknown order, on a family that does
    not have it, and on an extent that it does not fit.
    """
    shape = require_crystal(lattice)
    known = PEAKS.get(order)
    if known is None:
        raise UserError(f"an order named {order!r}", allowed=", ".join(PEAKS))
    if lattice.name not in known:
        raise UserError(f"peaks of {order} on {lattice!r}", allowed=f"lattices {', '.join(known)}")
    fractions = np.array(known[lattice.name])
    whole = fractions * np.array(shape)
    if np.abs(whole - np.round(whole)).max() > 1e-9:
        raise UserError(f"peaks of {order} on {lattice!r}", allowed="an extent that is a multiple of the order's cell")
    return np.round(whole) @ lattice.reciprocal


def bragg_weight(spins: Numbers, lattice: Lattice, peaks: Float[np.ndarray, "peak dim"]) -> Float[Tensor, " replica"]:
    """sum_Q S(Q) / N over the wave vectors ``peaks``, (replica,): the share of all spins' weight in an order::

        sdgnn.analysis.bragg_weight(spins, lattice, sdgnn.analysis.order_peaks("neel", lattice))

    1 in a perfect order that has no other peaks (with one site per cell), 1 / N per peak in random states. Domains
    out of phase take weight from the peak into its width. From :func:`order_peaks`; tetrahedral order and a stripe have
    the same peaks and differ in their chirality. Not for orders within the cell of a basis: see
    :func:`.order_weight`.
    """
    return structure_factor_at(check_spins(spins, lattice), lattice, peaks).sum(-1) / lattice.n_sites


def overlap(spins: Numbers, reference: Numbers, improper: bool = False) -> Float[Tensor, " replica"]:
    """max over rotations R of (1/N) sum_i S_i . R S_i^ref, (replica,): 1 where the state is the turned reference.

    ``improper`` allows reflections too, which carry a chirality into the opposite one. Found from the singular values
    s_1 >= s_2 >= s_3 of (1/N) sum_i S_i S_i^ref^T, as s_1 + s_2 +- s_3 with the sign of its determinant (Kabsch, Acta
    Cryst. A 32, 922 (1976), doi:10.1107/S0567739476001873). Translations are not searched: pass every shifted
    reference of an order with several sublattices. Raises UserError when the numbers of sites differ.
    """
    spins, reference = as_tensor(spins), as_tensor(reference, "a reference")
    if spins.shape[1:] != reference.shape or len(spins) == 0:
        shapes = f"{tuple(spins.shape)} with {tuple(reference.shape)}"
        raise UserError(f"an overlap of {shapes}", allowed="(replica, site, 3) and (site, 3)")
    matrix = torch.einsum("rsa,sb->rab", spins.double(), reference.double()) / len(reference)
    values = torch.linalg.svdvals(matrix)
    sign = torch.ones(len(matrix), dtype=torch.float64, device="cpu") if improper else torch.linalg.det(matrix).sign()
    return values[:, 0] + values[:, 1] + sign.to(values) * values[:, 2]
