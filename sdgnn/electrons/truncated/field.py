"""The electrons' field from a ball around each site: any s-d magnet, without labels, from fast to exact."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.electrons.bands import band
from sdgnn.electrons.ensemble import check_ensemble
from sdgnn.electrons.expansion import PLAIN_DECAY, Expansion
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.settings import TruncatedSettings
from sdgnn.electrons.truncated.balls import mean_sizes
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.electrons.truncated.walk import Channel, Walk, WalkSettings, background
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import Total, unchanging
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice, halo_cells

PREDICTED = 8
"""Moments that are predicted, at most, as a multiple of those that are computed."""

SHARE = 0.7
"""Part of all steps that the channel with more weight at the chemical potential takes."""

WEAK = 0.025
"""|J| over the width of the band below which both channels take half of all steps."""

RESOLVED = 3.0
"""Moments are predicted until coefficients have fallen to exp(-RESOLVED)."""

LONGEST, LONGER, MOST = 1.02, 0.25, 40
"""Bounds of the spectrum hold for spins up to the first length, which predictors of integrators reach; for longer
spins, bounds widen in steps of the second number, as many as the third at most."""


Correction = Callable[[Tensor], tuple[Tensor, Tensor]]
"""f(M(i)) (state, site) of local moments (state, site, channel, moment), and its slopes in them."""


def _larger_share(steps: int) -> int:
    """Steps of the walk that takes the larger share of ``steps``."""
    return min(round(SHARE * steps), steps - 1)


def _itself(values: Tensor) -> Tensor:
    """The sum over all parts of a lattice that is in one part."""
    return values


@unchanging
class TruncatedField(Field):
    """H_i = -dE/dS_i of the s-d model from local moments: spinors that walk inside a ball around each site.

    Two spinors start from every site i, v_0 along its spin and v_0 against it, and walk along the bonds inside the ball
    of all sites within ``cutoff`` bonds of i, with H~_pq = sqrt(D_p D_q) (H - centre)_pq / scale:

        v_1 = H~ v_0,   v_{n+1} = 2 H~ v_n - D^2 v_{n-1}.

    D = exp(-g) at the edge of the ball, which absorbs what would leave it, and 1 elsewhere (Mandelshtam and Taylor,
    J. Chem. Phys. 103, 2903, doi:10.1063/1.470477; there D^(1/2) v_n). v_n = T_n(H~) v_0 where D = 1. Chebyshev
    moments of each of the two follow, two for each step,

        M_2n   = M_2n-2 + 2 (<v_n|v_n>   - <v_n-1|D^2|v_n-1>),
        M_2n+1 = M_2n-1 + 2 (<v_n|v_n+1> - <v_n-1|D^2|v_n>),

    and they are those of a positive density of states, D or not. Of all steps, :data:`SHARE` are those of the spinor
    whose levels lie nearer to the chemical potential: below half filling (at given mu: for mu < 0, the mean of all
    levels) the one along J S, above the other one. At half filling (mu = 0) both take as many, as particles and holes
    want it; with kT so high that half of the steps leave no coefficient; and for J below 1/40 of the band's width:
    what truncation leaves of first order in J cancels between walks of equal length alone.
    Moments beyond 2 m are predicted (:mod:`sdgnn.electrons.truncated.prediction`), and

        Omega(mu) = sum_i sum_+- sum_n c_n(mu) M_n(i, +-),     N(mu) = -dOmega/dmu,

    with c_n the Chebyshev coefficients of -kT ln(1 + exp(-(e - mu)/kT)) (truncated polynomial expansion: Furukawa and
    Motome, J. Phys. Soc. Jpn. 73, 1482, doi:10.1143/JPSJ.73.1482, made conservative: the field is the slope of the
    energy of all balls). The same adjoint gives the density n_i, the slope with the on-site energy.

    ============= ====================================================================================================
    argument      meaning
    ============= ====================================================================================================
    model         any :class:`.SDModel`: crystals, several shells, bond disorder, vacancies, t(r), spin-orbit coupling
    kT            electrons' temperature, >= 0. Structure in energy finer than :attr:`resolution` is extrapolated
    mu, filling   one of the two, as in :class:`~sdgnn.electrons.exact.ExactField`; at fixed filling each state has the
                  mu at which N(mu) is its number of electrons, and the energy is F = Omega + mu N_e
    cutoff        bonds from the centre of a ball to its edge
    moments       2 m + 1 moments from m steps of a spinor, on average over the two; an odd number
    level         both by name: ``fast`` (5, 41; the default) or ``accurate`` (7, 67)
    ============= ====================================================================================================

    E(R S) = E(S) for rotations of all spins, E(-S) = E(S), and the lattice's symmetries hold exactly (but a spin of
    length zero has its spinors along z, and no share in how they turn). With spin-orbit coupling spinors turn on every
    bond, H_pq = -(t_pq + i lambda_pq . sigma), and spins and lattice together have the symmetry. Spins beyond a
    lattice smaller than the ball are its periodic images: the field is that of the infinite crystal, to which twists of
    :class:`~sdgnn.electrons.exact.ExactField` tend. The error falls to zero as both numbers grow; measure it with
    :func:`~sdgnn.electrons.truncated.choice.suggest_cutoff`. Computes in the dtype of the spins, on the CPU in
    compiled loops on torch's threads (16 sites of a crystal side by side; where hopping differs from cell to cell, 16
    replicas), on other devices with tensor operations. Threads may share a field.

        field = sdgnn.TruncatedField(model, kT=0.05, filling=0.25)
        result = field(spins)  # energy, field, density, mu

    Raises UserError as ExactField does, on a cutoff below 1, on an even number of moments or fewer than 3, and on a
    level beside numbers.
    """

    def __init__(
        self,
        model: SDModel,
        kT: float,
        mu: float | None = None,
        filling: float | None = None,
        cutoff: int | None = None,
        moments: int | None = None,
        level: str | None = None,
    ) -> None:
        self.ensemble = check_ensemble(kT, mu, filling)
        self.kT, self.mu, self.filling = self.ensemble
        self.cutoff, self.moments = TruncatedSettings(cutoff=cutoff, moments=moments, level=level).size
        self.model = model
        self.lattice: Lattice = model.lattice
        self._band = band(model)
        self._electrons = None if self.filling is None else self.filling * model.n_orbitals
        self._own: np.ndarray | None = None
        self._near: np.ndarray | None = None
        self._total: Total = _itself
        self._walks: dict[tuple[float, torch.dtype, torch.device], tuple[Walk, Expansion]] = {}

    @staticmethod
    def counts(moments: int) -> tuple[int, int]:
        """Moments, at most, of the spinor that takes more steps and of the other one, for ``moments`` on average."""
        return 2 * _larger_share(moments - 1) + 1, moments

    def summed(self, values: Float[Tensor, "replica site *rest"]) -> Float[Tensor, " replica *rest"]:
        """Sum over the sites of the whole lattice, of which this may be a part."""
        return self._total((values if self._own is None else values[:, self._own]).sum(1))

    @property
    def whole_sites(self) -> int:
        """Sites of the whole lattice, of which this may be a part."""
        return int(
            self._total(torch.tensor(self.lattice.n_sites if self._own is None else len(self._own), device="cpu"))
        )

    @property
    def resolution(self) -> float:
        """Energy that the computed moments resolve: pi scale / moments, in t. Finer structure is extrapolated."""
        return math.pi * self._spectrum(LONGEST)[1] / self.moments

    @property
    def work(self) -> float:
        """Site-steps that each site of the lattice costs: sites of a ball, summed over the steps of a walk.

        The mean over the walks along and against the spin: that of ``moments // 2`` steps if both were equally long.
        """
        return self.work_of(self.moments, mean_sizes(self.model, self.cutoff))

    def work_of(self, moments: int, sizes: Float[np.ndarray, " bonds"]) -> float:
        """:attr:`work` with other moments, in balls of ``sizes`` sites within 0, 1, 2, ... bonds."""
        steps = self._steps(moments, self._spectrum(LONGEST)[1])
        return float(np.mean([sizes[np.minimum(np.arange(m + 1), len(sizes) - 1)].sum() for m in steps]))

    @property
    def halo(self) -> float | None:
        """Distance around a site from which spins act on its field at given mu: two cutoffs, on crystals."""
        if not self.model.is_uniform:
            return None
        return 2 * self.cutoff * float(np.linalg.norm(self.model.bonds.vector, axis=1).max(initial=0.0))

    def on(self, lattice: Lattice) -> TruncatedField:
        """Field of these electrons, with this cutoff and these moments, on another lattice."""
        model = SDModel.from_dict(lattice, self.model.to_dict())
        return TruncatedField(model, self.kT, self.mu, self.filling, self.cutoff, self.moments)

    def part(self, lattice: Lattice, own: slice, total: Total) -> TruncatedField:
        """Field on a part of the crystal; at fixed filling with the mu of the whole, from moments of all parts."""
        field = self.on(lattice)
        assert field.halo is not None and lattice.shape is not None
        plane = lattice.n_sites // lattice.shape[0]
        beyond = int(halo_cells(lattice, field.halo / 2)[0]) * plane
        near = slice(max(0, own.start - beyond), min(lattice.n_sites, own.stop + beyond))
        field._own, field._near = np.arange(lattice.n_sites)[own], np.arange(lattice.n_sites)[near]
        field._electrons, field._total = self._electrons, total
        return field

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        return self.corrected(spins, None)

    def corrected(self, spins: Float[Tensor, "replica site 3"], correction: Correction | None) -> FieldResult:
        """Energy and field with sum_i f(M(i)), a function of the local moments of each site, added to the energy.

        ``correction`` gives f and its slopes in the moments. mu stays that of the electrons.
        """
        widened = self._widened(spins)
        if len(widened.unique()) == 1:
            return self._evaluate(spins, int(widened[0]), correction)
        results = [self._evaluate(one[None], int(by), correction) for one, by in zip(spins, widened, strict=True)]
        parts = zip(*((r.energy, r.field, r.density, r.mu) for r in results), strict=True)
        return FieldResult(*(torch.cat(part) for part in parts))

    def local_moments(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site channel computed"]:
        """M_0, ..., M_2m of both spinors of each site, first the one that takes more steps; zeros follow the others.

        Of spins up to about length 1. Not differentiable in the spins: their slopes come with :meth:`corrected`.
        """
        return self._walk(spins, 0)[0].moments(spins)[0]

    def field_of_moments(
        self, spins: Float[Tensor, "replica site 3"], slopes: Float[Tensor, "replica site channel computed"]
    ) -> Float[Tensor, "replica site 3"]:
        """-dF/dS of a function F of local moments that has these slopes in them. Of spins up to about length 1."""
        walk, expansion = self._walk(spins, 0)
        nothing = np.zeros((len(spins), expansion.moments))
        return -walk.slopes(spins, nothing, None, slopes)[1][..., :3].to(spins)

    def _evaluate(
        self, spins: Float[Tensor, "replica site 3"], widened: int, correction: Correction | None
    ) -> FieldResult:
        """Energy and field of states whose spectrum has the same bounds."""
        walk, expansion = self._walk(spins, widened)
        totals, extra, more = None, None, None
        if correction is not None:
            moments, totals = walk.moments(spins, self._near)
            extra, more = correction(moments)
        if self.mu is None:
            if totals is None or self._own is not None:
                totals = walk.totals(spins, self._own)
            totals = self._total(torch.from_numpy(totals)).numpy()
            if not bool(np.isfinite(totals).all()):
                raise NumericalError(
                    f"moments that are not finite in {spins.dtype}; use float64 spins or fewer moments"
                )
        if self.mu is not None:
            mu = np.full(len(spins), self.mu)
        else:
            assert totals is not None and self.filling is not None
            mu = np.array([expansion.chemical_potential(one, self.filling) for one in totals])
        coefficients = np.stack([expansion.grand_potential(one) for one in mu])
        by_site, slopes = walk.slopes(spins, coefficients, self._near, more)
        if extra is not None:
            by_site = by_site + extra.to(by_site)
        energy = self._total((by_site if self._own is None else by_site[:, self._own]).sum(1, dtype=torch.float64))
        if self._electrons is not None:
            energy = energy + torch.from_numpy(np.where(np.isfinite(mu), mu, 0.0)).to(energy) * self._electrons
        slopes = slopes.to(device=spins.device, dtype=spins.dtype)
        return FieldResult(energy.to(spins.device), -slopes[..., :3], slopes[..., 3], torch.from_numpy(mu).to(spins))

    def chemical_potential(self, spins: Numbers) -> Float[Tensor, " replica"]:
        """The given mu, or the one that gives the filling."""
        mu = self(spins).mu
        assert mu is not None
        return mu

    def _spectrum(self, longest: float) -> tuple[float, float]:
        """Centre and half the width of the spectrum, for spins up to a length."""
        lowest, highest = self._band
        return (lowest + highest) / 2, (highest - lowest) / 2 + abs(self.model.exchange) * longest

    def _widened(self, spins: Float[Tensor, "replica site 3"]) -> Int[Tensor, " replica"]:
        """Steps by which the bounds are widened for the longest spin of each state in all parts."""
        beyond = ((spins.norm(dim=-1).amax(1) - LONGEST) / LONGER).ceil().clamp(min=0).long().cpu()
        if int(beyond.max()) >= MOST:
            raise UserError(
                f"spins of length {float(spins.norm(dim=-1).max()):.3g}",
                allowed=f"up to {LONGEST + LONGER * (MOST - 1):.3g}; spins of length 1 are meant",
            )
        wanted = torch.nn.functional.one_hot(beyond, MOST)
        return (self._total(wanted) > 0).long().mul(torch.arange(MOST, device="cpu")).amax(1)

    def _walk(self, spins: Float[Tensor, "replica site 3"], widened: int) -> tuple[Walk, Expansion]:
        """The walk for spins of this dtype and device, and the expansion that belongs to its moments."""
        longest = LONGEST + LONGER * widened
        key = (longest, spins.dtype, spins.device)
        if key not in self._walks:
            centre, scale = self._spectrum(longest)
            channels = self._channels(scale, spins.dtype)
            computed = 2 * max(channel.steps for channel in channels) + 1
            needed = RESOLVED * scale / (math.pi * self.kT) if self.kT > 0 else math.inf
            count = int(max(computed, min(needed, PREDICTED * self.moments)))
            settings = WalkSettings(self.cutoff, channels, count, centre, scale)
            walk: Walk = (
                CompiledWalk(self.model, settings, spins.dtype)
                if spins.device.type == "cpu"
                else TensorWalk(self.model, settings, spins.dtype, spins.device)
            )
            self._walks[key] = walk, Expansion(centre, scale, self.kT, count, plain=True)
        return self._walks[key]

    def _channels(self, scale: float, dtype: torch.dtype) -> tuple[Channel, ...]:
        """Walks along and against the spin: most steps for the one with more weight at the chemical potential."""
        side = 1 if (self.model.exchange >= 0) == (self._above < 0) else -1
        steps = self._steps(self.moments, scale)
        return tuple(Channel(s, m, background(2 * m + 1, dtype)) for s, m in zip((side, -side), steps, strict=True))

    @property
    def _above(self) -> float:
        """Positive above half filling, negative below."""
        if self.mu is not None:
            return self.mu  # the mean of all levels is 0
        assert self.filling is not None
        return self.filling - 0.5

    def _steps(self, moments: int, scale: float) -> tuple[int, int]:
        """Steps of the walk near the chemical potential, and of the other one."""
        steps, (lowest, highest) = moments - 1, self._band
        if self._above == 0 or abs(self.model.exchange) < WEAK * (highest - lowest):
            return steps // 2, steps // 2
        most = min(_larger_share(steps), max(steps // 2, self._resolved(scale)))
        return most, steps - most

    def _resolved(self, scale: float) -> int:
        """Steps after which no coefficient is left that matters."""
        return math.ceil(PLAIN_DECAY * scale / (2 * math.pi * self.kT)) if self.kT > 0 else sys.maxsize

    def __repr__(self) -> str:
        size = f"cutoff={self.cutoff}, moments={self.moments}"
        return f"TruncatedField({self.ensemble}, {size}; resolves {self.resolution:.2g}) of {self.model!r}"
