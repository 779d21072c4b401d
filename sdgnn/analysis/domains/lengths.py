"""Domain length L from the correlation function and from the structure factor."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.orders.correlations import radial_correlation
from sdgnn.analysis.spectra.static import distance_to_peaks, structure_factor, wave_vectors
from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


def first_crossing(
    distance: Float[Tensor, " distance"], values: Float[Tensor, "replica distance"], level: float
) -> Float[Tensor, " replica"]:
    """Distance at which each row of ``values`` falls to ``level``, linearly interpolated; inf if it never does."""
    below = values <= level
    never = ~below.any(-1)
    last = below.to(torch.int8).argmax(-1).clamp(min=1)
    rows = torch.arange(len(values), device=values.device)
    left, right = values[rows, last - 1], values[rows, last]
    start, end = distance[last - 1], distance[last]
    crossing = start + (end - start) * (left - level) / (left - right)
    return torch.where(never, torch.full_like(crossing, math.inf), crossing)


def length_from_correlation(
    values: Numbers,
    lattice: Lattice,
    level: float = 0.5,
    order: Float[np.ndarray, "peak dim"] | None = None,
    width: float = 0.5,
) -> Float[Tensor, " replica"]:
    """L with f(L) = ``level`` f(0), the first crossing of the correlation function, in nearest-neighbour distances.

    f(r) is :func:`~sdgnn.analysis.orders.correlations.radial_correlation`. For chirality domains ``values`` is the map
    ``site_chirality(spins, lattice)``; for a spin order, the spins themselves with the ``order``'s wave vectors.
    level = 0.5 is the half height, level = 0 the first zero, which exists only where the two phases balance. While
    domain growth scales, f(r, t) = g(r / L(t)) and both grow by one law (Bray, Adv. Phys. 43, 357 (1994),
    doi:10.1080/00018739400101505). Thermal noise within domains adds to f(0) alone and so shortens L a little; compare
    runs at one temperature. inf where f does not cross within half the cell: L is longer than can be measured;
    nan where the values vanish everywhere.
    """
    if not 0 <= level < 1:
        raise UserError(f"level {level}", allowed="0 <= level < 1")
    distance, envelope = radial_correlation(values, lattice, order=order, width=width)
    at_zero = envelope[:, :1]
    lengths = first_crossing(distance, envelope / at_zero, level)
    return torch.where(at_zero[:, 0] > 0, lengths, torch.full_like(lengths, math.nan))


def length_from_structure_factor(
    values: Numbers,
    lattice: Lattice,
    moment: int = 1,
    order: Float[np.ndarray, "peak dim"] | None = None,
    cutoff: float = math.inf,
    power: int = 1,
) -> Float[Tensor, " replica"]:
    """L = 2 pi / k_n, k_n = (sum_q S(q)^p |q - Q|^n / sum_q S(q)^p)^(1/n), in nearest-neighbour distances.

    n is ``moment`` and p ``power``, each 1 or 2. |q - Q| is the distance to the nearest of the wave vectors ``order``
    (default Q = 0, right for the map ``site_chirality(spins, lattice)``), modulo reciprocal vectors; sums run over wave
    vectors with |q - Q| <= ``cutoff``. Sharp walls give a Porod tail S ~ k^-(dim + 1) (Bray, Adv. Phys. 43, 357 (1994),
    doi:10.1080/00018739400101505), and thermal noise a constant background: both weigh on the moments from large k,
    the second more than the first, so that L then depends on the lattice through the cutoff. In two dimensions even
    the first moment of k^-3 diverges as a logarithm and L grows too slowly: judge growth laws with p = 2, whose moments
    converge. inf in a state that is ordered without domains, nan where the values vanish everywhere.
    """
    if moment not in (1, 2):
        raise UserError(f"moment {moment}", allowed="1 or 2")
    if power not in (1, 2):
        raise UserError(f"S to the power {power}", allowed="1 or 2")
    if not cutoff > 0:
        raise UserError(f"cutoff {cutoff}", allowed="a positive wave number")
    peaks = np.zeros((1, lattice.dim)) if order is None else order
    distance = distance_to_peaks(wave_vectors(lattice), lattice, peaks)
    factor = structure_factor(values, lattice)
    kept = torch.from_numpy(distance <= cutoff).to(factor.device)
    k = torch.from_numpy(distance).to(factor)
    weight = factor**power * kept
    mean = (weight * k**moment).sum(-1) / weight.sum(-1)
    return 2 * math.pi / mean ** (1 / moment)
