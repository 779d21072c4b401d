"""Labels that no rotation-invariant energy can have: torques of such an energy cancel over the lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.nn import Model

DIGITS = 1e-4
"""Share of (sum_i |H_i|^2)^(1/2) that rounding may leave of the sum of all torques. Diagonalisation leaves 1e-15,
float32 3e-7, published sets in float32 3e-5; with a torque of a hundredth of the field, 1e-4 costs 1e-4 of R^2."""
DEVIATIONS = 4
"""Standard deviations of noise that random vectors may leave of that sum."""


def total_torque(labels: LabelSet) -> Float[Tensor, "state 3"]:
    """sum_i S_i x H_i of each state, in units of t."""
    return torch.linalg.cross(labels.spins, labels.field).sum(1)


def allowed_total(labels: LabelSet) -> Float[Tensor, " state"]:
    """Length of :func:`total_torque` that rounding and random vectors explain.

    Rounding leaves ``DIGITS`` of the field. R random vectors estimate sum_i S_i x H_i = J Tr(D rho) with
    D = sum_i S_i x sigma_i of norm 1 on every site and axis: the variance of each component is at most
    J^2 Tr(rho^2) / R <= J^2 N_e / R. Where kernel polynomials were asked for a ``tolerance`` e of each component of the
    field, that of the sum is 2 N e^2. Full traces, by as many vectors as orbitals or more, have no noise.
    """
    rounding = DIGITS * labels.field.square().sum((1, 2)).sqrt()
    solver, sites = labels.origin.solver, labels.lattice.n_sites
    if solver.get("name") != "kpm":
        return rounding
    if solver.get("tolerance") is not None:
        return rounding + DEVIATIONS * math.sqrt(2 * sites) * float(solver["tolerance"])
    vectors = solver.get("vectors")
    if vectors is None or vectors >= 2 * sites:
        return rounding
    exchange = abs(float((labels.origin.hamiltonian or {}).get("exchange", 1.0)))
    filling = 1.0 if labels.origin.filling is None else labels.origin.filling
    return rounding + DEVIATIONS * exchange * math.sqrt(3 * 2 * sites * filling / vectors)


def check_sum_rule(model: Model, sets: Sequence[LabelSet]) -> None:
    """Raises UserError on labels whose torques do not cancel, where those of the model do.

    E(RS) = E(S) for every rotation R of all spins gives, to first order in R, sum_i S_i x H_i = 0. Terms that single
    out a direction break that: DMI, anisotropy, external fields. No weights can represent them. So does spin-orbit
    coupling of the electrons, which networks of walks follow: their labels are not asked, other models refuse them.
    """
    if not model.torques_cancel:
        return
    for labels in sets:
        if labels.origin.turns_spins:
            continue
        found, allowed = total_torque(labels).norm(dim=-1), allowed_total(labels)
        if not (found > allowed).any():
            continue
        state = int((found / allowed.clamp_min(1e-300)).argmax())
        raise UserError(
            f"labels on {labels.lattice!r} that no rotation-invariant energy has: "
            f"|sum_i S_i x H_i| = {float(found[state]):.3g} t in state {state}",
            allowed=f"0, to {float(allowed[state]):.1g} t of rounding and noise: labels of the electrons alone",
            fix="a term that singles out a direction is in them, such as DMI, anisotropy or an external field: "
            "subtract what is known of it, term = sdgnn.fields.DMI(labels.lattice, strength=...) and "
            'sdgnn.data.write(labels.minus(term), "electrons.h5"), train on these, and add it again where the model '
            "runs: network.on(lattice) + term in Python, field.dmi, field.anisotropy or field.zeeman in simulate. "
            "Labels by random vectors of another program say so under solver (docs/label-sets.md)",
        )
