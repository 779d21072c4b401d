"""The cheapest cutoff and moments for an asked torque error, measured on a small exact lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.electrons.ensemble import check_ensemble
from sdgnn.electrons.exact import ExactField
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.truncated.balls import mean_sizes
from sdgnn.electrons.truncated.field import TruncatedField
from sdgnn.fields import check_spins, torque_part
from sdgnn.lattice import Lattice

SITES = 200
"""Sites, about, of the crystal that is diagonalised."""

LARGEST = 600
"""Sites, at most, of a lattice that is diagonalised as it is."""

CUTOFFS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
"""Cutoffs that are tried."""

MOMENTS = (9, 13, 21, 31, 41, 61, 81, 121, 161, 241, 321, 481)
"""Numbers of moments that are tried."""

WORK = {True: 60_000, False: 24_000}
"""Steps times sites of a ball up to which numbers are tried, on uniform crystals and where hopping differs from cell to
cell: about the same time for the default states. There a step takes 10 to 30 times as long as on a crystal for a single
state, and no longer for up to 16, which walk side by side."""

TWISTS = (2, 3, 5)
"""Boundary phases along each axis, increased until the exact torques stay the same."""

DIAGONALISATIONS = 30
"""Phases in all, at most."""

SETTLED = 0.2
"""Part of the asked error by which the exact torques may still change with the number of twists."""

NOISE = (0.1, 0.3)
"""Noise on ordered states."""

FLAT = 0.97
"""More steps, or more bonds, that leave this part of the error or more have ceased to help."""


@dataclass(frozen=True)
class Trial:
    """Numbers that were tried, and what they gave."""

    cutoff: int
    """Bonds from the centre of a ball to its edge."""
    moments: int
    """Moments computed."""
    work: float
    """Steps times sites of a ball that each site of the lattice costs (:attr:`~.field.TruncatedField.work`)."""
    torque_error: float
    """Root mean square error of the torque per Cartesian component, in t, in the worst of the states."""
    torque_r2: float
    """Torque R² of all states together."""

    __repr__ = one_line


@dataclass(frozen=True)
class Choice(Trial):
    """The cheapest numbers for :class:`~sdgnn.electrons.truncated.field.TruncatedField` that reach an asked error."""

    asked: float
    """Torque error that was asked for, in t."""
    torque: float
    """Root mean square of a component of the exact torque, in t."""
    reference_error: float
    """How much the exact torques still changed with the last increase of twists, in t."""
    lattice: Lattice
    """Lattice on which errors were measured."""
    states: int
    """Number of states."""
    tried: tuple[Trial, ...]
    """What was tried, in the order of work."""

    def __repr__(self) -> str:
        return (
            f"cutoff={self.cutoff}, moments={self.moments}: torque error {self.torque_error:.2g} t (asked "
            f"{self.asked:.2g}, torque {self.torque:.2g}), R² {self.torque_r2:.4f}"
        )

    def __str__(self) -> str:
        lines = [
            repr(self),
            f"{self.states} states of {self.lattice!r}; exact to {self.reference_error:.1g} t",
            "cutoff  moments  site-steps  torque error      R²",
        ]
        lines += [
            f"{t.cutoff:6d}  {t.moments:7d}  {t.work:10.0f}  {t.torque_error:12.2g}  {t.torque_r2:6.4f}"
            for t in self.tried
        ]
        return "\n".join(lines)


def suggest_cutoff(
    model: SDModel,
    kT: float,
    mu: float | None = None,
    filling: float | None = None,
    *,
    torque_error: float,
    states: Float[Tensor, "replica site 3"] | None = None,
) -> Choice:
    """The cheapest (cutoff, moments) whose torque error stays below ``torque_error`` in every one of some states.

    Candidates are tried in the order of their work against :class:`~sdgnn.electrons.exact.ExactField`, in float64. On a
    crystal, on one of the same family of some 200 sites, whose spins are repeated (twists, as many as are needed) so
    that it stands for the infinite crystal; with bond disorder, on another realisation. On a free lattice, on itself.

    ============ =====================================================================================================
    argument     meaning
    ============ =====================================================================================================
    torque_error largest root mean square error of a Cartesian component of the torque, in t
    states       states on the model's own lattice to measure on; by default random ones, ferromagnets with noise of 0.1
                 and 0.3, and the same of a Neel, tetrahedral or 120-degree order where it fits; with spin-orbit
                 coupling, orders turned at random
    ============ =====================================================================================================

        choice = sdgnn.suggest_cutoff(model, kT=0.05, filling=0.25, torque_error=0.002)
        field = sdgnn.TruncatedField(model, 0.05, filling=0.25, cutoff=choice.cutoff, moments=choice.moments)

    What holds for these states may fail for others: give those of your dynamics where they matter. Raises UserError on
    lattices too large to be diagonalised (free ones, and those of given states), on an error that is not positive, and
    when nothing that is tried reaches it, with the best that was.
    """
    check_ensemble(kT, mu, filling)
    if not (torque_error > 0 and math.isfinite(torque_error)):
        raise UserError(f"torque error {torque_error}", allowed="a number > 0, in t")
    own = states is not None or not model.lattice.is_crystal
    if own and model.lattice.n_sites > LARGEST:
        raise UserError(
            f"exact fields of {model.lattice.n_sites} sites",
            allowed=f"up to {LARGEST} sites on free lattices and for states of your own",
            fix="give the same Hamiltonian on a smaller lattice, with states on it",
        )
    small = model if own else SDModel.from_dict(smaller(model.lattice), model.to_dict())
    spins = _states(small) if states is None else check_spins(states, small.lattice).detach().cpu().to(torch.float64)
    exact, reference_error = _exact(small, kT, mu, filling, spins, SETTLED * torque_error)
    tried: list[Trial] = []
    for cutoff, moments, work in _candidates(TruncatedField(small, kT, mu, filling)):
        same_cutoff = [trial.torque_error for trial in tried if trial.cutoff == cutoff]
        same_moments = [trial.torque_error for trial in tried if trial.moments == moments]
        if _ceased(same_cutoff) or _ceased(same_moments):
            continue
        field = TruncatedField(small, kT, mu, filling, cutoff=cutoff, moments=moments)
        miss = (torque_part(field(spins).field, spins) - exact).square()
        worst = float(miss.mean((1, 2)).max().sqrt())
        r2 = 1 - float(miss.sum() / exact.square().sum()) if bool(exact.any()) else math.nan
        trial = Trial(cutoff, moments, work, worst, r2)
        tried.append(trial)
        if worst <= torque_error:
            torque = float(exact.square().mean().sqrt())
            return Choice(
                **vars(trial), asked=torque_error, torque=torque, reference_error=reference_error,
                lattice=small.lattice, states=len(spins), tried=tuple(tried),
            )  # fmt: skip
    best = min(tried, key=lambda trial: trial.torque_error)
    raise UserError(
        f"torque error {torque_error:g} at kT = {kT:g}",
        allowed=f"{best.torque_error:.2g} t and more: the best of {len(tried)} tried, by cutoff {best.cutoff} and "
        f"{best.moments} moments; the exact field of {small.lattice!r} is known to {reference_error:.1g} t",
        fix="ask for less, or for a higher kT; KPMField and ExactField have no cutoff",
    )


def smaller(lattice: Lattice) -> Lattice:
    """A crystal of the family with about SITES sites, even numbers of cells and about as long along each axis."""
    assert lattice.vectors is not None
    lengths = np.linalg.norm(lattice.vectors, axis=1)
    side = (SITES / lattice.n_basis * lengths.prod()) ** (1 / lattice.dim)
    return lattice.resized(*[max(2, 2 * round(float(side / length) / 2)) for length in lengths])


def _states(model: SDModel) -> Float[Tensor, "replica site 3"]:
    """Random and ordered ones with noise."""
    lattice = model.lattice
    made = [textures.random(lattice, replicas=2 if model.is_uniform else 1)]
    orders = [textures.ferro(lattice)]
    for order in (textures.tetrahedral, textures.neel, textures.order120) if model.is_uniform else ():
        try:
            orders.append(order(lattice))
        except UserError:
            continue
    if model.has_spin_orbit:  # the energy depends on where an order points
        orders = [textures.rotate_randomly(order, seed=k) for k, order in enumerate(orders)]
    made += [textures.noisy(order, noise, seed=k) for k, order in enumerate(orders) for noise in NOISE]
    return torch.cat(made)


def _exact(
    model: SDModel, kT: float, mu: float | None, filling: float | None, spins: Tensor, settled: float
) -> tuple[Float[Tensor, "replica site 3"], float]:
    """Torques of the infinite lattice of repeated spins, and how much they changed with the last increase of twists."""
    dim = model.lattice.dim

    def torque(number: int, which: Tensor) -> Tensor:
        exact = ExactField(model, kT, mu, filling, twists=(number,) * dim)
        return torque_part(exact(spins[which]).field, spins[which])

    open_ones = torch.arange(len(spins), device="cpu")
    torques, changes = torque(1, open_ones), torch.full((len(spins),), math.inf, dtype=torch.float64, device="cpu")
    for number in TWISTS:
        if number**dim > DIAGONALISATIONS or not len(open_ones):
            break
        new = torque(number, open_ones)
        changes[open_ones] = (new - torques[open_ones]).square().mean((1, 2)).sqrt()
        torques[open_ones] = new
        open_ones = torch.nonzero(changes >= settled)[:, 0]
    return torques, float(changes.max())


def _candidates(electrons: TruncatedField) -> list[tuple[int, int, float]]:
    """(cutoff, moments, work) in the order of work."""
    most, found = WORK[electrons.model.is_uniform], []
    for cutoff in CUTOFFS:
        sizes = mean_sizes(electrons.model, cutoff)
        works = [(m, electrons.work_of(m, sizes)) for m in MOMENTS if m // 2 >= cutoff]
        kept = [(cutoff, m, work) for m, work in works if work <= most]
        if not kept:
            break
        found += kept
    return sorted(found, key=lambda candidate: candidate[2])


def _ceased(errors: list[float]) -> bool:
    """Whether errors have ceased to fall."""
    return len(errors) > 2 and errors[-1] > FLAT * errors[-3]
