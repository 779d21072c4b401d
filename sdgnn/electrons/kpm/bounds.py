"""Bounds of the electrons' spectrum by Lanczos iteration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.electrons.bands import widened
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.recursion import recursion
from sdgnn.electrons.kpm.scaled import HoppingTable, ScaledHamiltonian

STEPS = 40
"""Lanczos steps."""


def spectral_bounds(
    model: SDModel, spins: Float[Tensor, "replica site 3"], hoppings: Sequence[HoppingTable]
) -> Float[Tensor, "replica 2"]:
    """(lowest, highest) energies between which all levels of each state lie, with each of the ``hoppings`` (twists).

    Extreme Ritz values, widened by their residuals (Zhou and Li, Lin. Alg. Appl. 435, 480,
    doi:10.1016/j.laa.2010.06.034) and by :func:`.widened`. On the CPU.
    """
    strict = torch.stack([_gershgorin(model, spins, hopping) for hopping in hoppings]).amax(0)
    strict = strict.clamp(min=torch.finfo(torch.float64).tiny ** 0.5)
    found = torch.stack([_lanczos(model, spins, hopping, strict) for hopping in hoppings])
    extremes = torch.stack([found[..., 0].amin(0), found[..., 1].amax(0)], dim=-1)
    return torch.from_numpy(widened(extremes.cpu().numpy(), strict.cpu().numpy()))


def _gershgorin(model: SDModel, spins: Tensor, hopping: HoppingTable) -> Tensor:
    """A bound of |E| for each state (replica,), in float64."""
    local = abs(model.exchange) * spins.to(torch.float64).norm(dim=-1)
    return (local + torch.from_numpy(hopping.norms.sum(1)).to(local)).amax(-1)


def _lanczos(model: SDModel, spins: Tensor, hopping: HoppingTable, strict: Tensor) -> Tensor:
    """Extreme Ritz values with residuals (replica, 2)."""
    scaled = ScaledHamiltonian.of(model, spins, torch.stack([-strict, strict], dim=-1), hopping)
    engine = recursion(scaled)
    replicas, sites, _ = spins.shape
    normal = np.random.default_rng(0).standard_normal((2, sites, 2, 1))
    start = torch.from_numpy(normal[0] + 1j * normal[1]).to(spins.device)
    steps = min(STEPS, 2 * sites)
    last = (start / start.norm()).expand(replicas, -1, -1, -1)
    before, beta = torch.zeros_like(last), torch.zeros(replicas, dtype=torch.float64, device=spins.device)
    diagonal, off = [], []
    for _ in range(steps):
        after = engine.unpack(engine.first(engine.pack(last)), last.shape).to(torch.complex128)
        after = after - beta[:, None, None, None] * before
        alpha = (last.conj() * after).sum((1, 2, 3)).real
        after = after - alpha[:, None, None, None] * last
        beta = after.flatten(1).norm(dim=1)
        diagonal.append(alpha)
        off.append(beta)
        before, last = last, after / beta.clamp(min=1e-30)[:, None, None, None]
    alphas, betas = torch.stack(diagonal, dim=1), torch.stack(off, dim=1)
    matrix = torch.diag_embed(alphas) + torch.diag_embed(betas[:, :-1], 1) + torch.diag_embed(betas[:, :-1], -1)
    values, vectors = torch.linalg.eigh(matrix)
    residual = betas[:, -1:] * vectors[:, -1].abs()
    extremes = torch.stack([values[:, 0] - residual[:, 0], values[:, -1] + residual[:, -1]], dim=-1)
    return extremes * strict[:, None]
