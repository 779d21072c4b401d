"""Orders that one would guess on square and triangular lattices: their exact energies, names of states.

Used by phase_diagram.py. Energies are exact for 24 x 24 sites, per site, at fixed filling N_e / (2 N).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float

import sdgnn
from sdgnn import analysis
from sdgnn.analysis.spectra.static import wave_vectors
from sdgnn.electrons.ensemble import phases
from sdgnn.electrons.filling import occupations

SIZE, KT = 24, 0.05
"""Sites along an edge, and the electrons' temperature."""
HALF = 0.5
"""Part of the weight of S(q) that gives a state its name."""
ARM = 0.15
"""Least part of the weight at all M (or X) points that counts as an arm of an order of several wave vectors."""
CHIRAL = 0.4
"""Least mean |chirality| of tetrahedral order, 0.77 when perfect."""


def lattice_of(name: str, size: int = SIZE) -> sdgnn.Lattice:
    """The square or triangular lattice of ``size`` x ``size`` sites."""
    return {"square": sdgnn.Lattice.square, "triangular": sdgnn.Lattice.triangular}[name](size, size)


def guesses(name: str) -> dict[str, tuple[sdgnn.Lattice, Float[torch.Tensor, "site 3"]]]:
    """Orders of several sublattices that are no spirals, each on a cell of 4 x 4 or 6 x 6 sites.

    ``uudd``: two rows up, two down, along an axis or the diagonal; ``3 of 4`` and (triangular) ``2 of 3``: collinear
    ferrimagnets of four and three sublattices; ``90 degrees``: coplanar order of two wave vectors with four spins at
    right angles, the flux state of the square lattice (Agterberg and Yunoki, Phys. Rev. B 62, 13816,
    doi:10.1103/PhysRevB.62.13816); ``tetrahedral``: Martin and Batista, Phys. Rev. Lett. 101, 156402.
    """
    four, six = lattice_of(name, 4), lattice_of(name, 6)
    (x, y), (u, v) = four.cells().T, six.cells().T
    along = {
        "uudd": (four, 1 - 2 * (x // 2 % 2)),
        "uudd diagonal": (four, 1 - 2 * ((x + y) // 2 % 2)),
        "3 of 4": (four, np.where((x % 2 == 0) & (y % 2 == 0), -1, 1)),
    }
    if name == "triangular":
        along["2 of 3"] = (six, np.where((u - v) % 3 == 0, -1, 1))
    found = {order: (cell, torch.from_numpy(np.outer(sign, [0.0, 0.0, 1.0]))) for order, (cell, sign) in along.items()}
    right = np.stack([1.0 - 2 * (x % 2), 1.0 - 2 * (y % 2), np.zeros(len(x))], axis=-1) / 2**0.5
    found["90 degrees"] = (four, torch.from_numpy(right))
    if name == "triangular":
        found["tetrahedral"] = (four, sdgnn.spins.tetrahedral(four)[0])
    return found


def levels_of(
    lattice: sdgnn.Lattice, spins: Float[torch.Tensor, "site 3"], exchange: float
) -> Float[torch.Tensor, " level"]:
    """Exact levels of one state, repeated to 24 x 24 sites."""
    assert lattice.shape is not None
    model = sdgnn.SDModel(lattice, exchange=exchange)
    twists = tuple(SIZE // n for n in lattice.shape)
    return torch.cat([torch.linalg.eigvalsh(model.matrix(spins[None].double(), p)[0]) for p in phases(twists)])


def spiral_levels(
    lattice: sdgnn.Lattice, exchange: float
) -> tuple[Float[np.ndarray, "q dim"], Float[torch.Tensor, "q level"]]:
    """Wave vectors of all coplanar spirals that fit a lattice, one of each symmetric set, and their levels.

    e(k, q) = (e_k + e_(k+q)) / 2 +- sqrt((e_k - e_(k+q))^2 / 4 + J^2): the spin frame that turns with the spiral makes
    H a 2 x 2 matrix for each k. q = 0 is the ferromagnet; Neel order, stripes and 120 degrees are spirals, too.
    """
    assert lattice.shape is not None
    q, bonds = wave_vectors(lattice), lattice.bonds(1)
    free = -np.cos(q @ bonds.vector[bonds.source == 0].T).sum(1).reshape(lattice.shape)
    moved = np.stack([np.roll(free, (-a, -b), (0, 1)) for a, b in np.ndindex(*lattice.shape)]).reshape(len(q), -1)
    mean, half = (free.ravel() + moved) / 2, (free.ravel() - moved) / 2
    split = np.sqrt(half**2 + exchange**2)
    levels = np.sort(np.concatenate([mean - split, mean + split], axis=1), axis=1)
    first = np.unique(levels.round(9), axis=0, return_index=True)[1]
    return q[first], torch.from_numpy(levels[first])


def energies(
    levels: Float[torch.Tensor, "state level"], fillings: Iterable[float], kT: float = KT
) -> Float[np.ndarray, "state filling"]:
    """Exact free energy of the electrons per site, for two levels a site, at each filling."""
    sites = levels.shape[1] / 2
    return np.stack([occupations(levels, kT, filling=f).energy.numpy() / sites for f in fillings], axis=1)


def spiral_name(q: Float[np.ndarray, " dim"], lattice: sdgnn.Lattice) -> str:
    """Name of the spiral of wave vector q: that of a perfect order where q is one of its peaks."""
    for order in ("ferro", "neel", "stripe", "order120"):
        if order not in analysis.fitting_orders(lattice):
            continue
        away = analysis.order_peaks(order, lattice) - q
        whole = away @ np.linalg.inv(lattice.reciprocal * np.array(lattice.shape)[:, None])
        if np.abs(whole - whole.round()).max(1).min() < 1e-6:
            return order
    return "spiral"


def order_of(spins: Float[torch.Tensor, "site 3"], lattice: sdgnn.Lattice) -> str:
    """Name of a state by S(q) and chirality, where at least half of the weight allows one; else ``spread``.

    ``ferro``, ``neel``, ``order120``; at M or X points ``stripe`` (one of them), ``90 degrees`` (two), ``tetrahedral``
    (three, chiral) or ``triple q``; elsewhere ``spiral``, ``double q`` or ``triple q`` by the number of pairs +-q that
    hold half of the weight together. A spiral may be a collinear wave.
    """
    weights = {name: float(w) for name, w in analysis.order_weights(spins[None], lattice).items()}
    best = max(weights, key=lambda name: weights[name])
    if weights[best] >= HALF and best not in ("stripe", "tetrahedral"):
        return best
    if weights["stripe"] >= HALF:
        peaks = analysis.order_peaks("stripe", lattice)
        arms = [float(analysis.bragg_weight(spins[None], lattice, q[None])) > ARM * weights["stripe"] for q in peaks]
        chiral = float(analysis.mean_absolute_chirality(spins[None], lattice)) > CHIRAL
        return {1: "stripe", 2: "90 degrees"}.get(sum(arms), "tetrahedral" if chiral else "triple q")
    share = analysis.structure_factor(spins[None], lattice)[0].numpy() / lattice.n_sites
    here = np.arange(len(share)).reshape(lattice.shape)
    back = np.roll(here[::-1, ::-1], (1, 1), (0, 1)).ravel()
    pairs = np.sort(np.where(here.ravel() < back, share + share[back], np.where(here.ravel() == back, share, 0)))[::-1]
    for count, name in enumerate(("spiral", "double q", "triple q"), start=1):
        if pairs[:count].sum() >= HALF:
            return name
    return "spread"
