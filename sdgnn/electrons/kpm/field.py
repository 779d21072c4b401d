"""Effective field of the s-d model by the kernel polynomial method: cost linear in sites, with an error estimate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.common.one_line import one_line
from sdgnn.common.seeds import check_seed
from sdgnn.electrons.ensemble import check_ensemble, check_twists
from sdgnn.electrons.expansion import Expansion, expansions_of
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.bounds import spectral_bounds
from sdgnn.electrons.kpm.engine import Recursion
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.recursion import recursion, reverse_weights
from sdgnn.electrons.kpm.scaled import ScaledHamiltonian, hopping_tables
from sdgnn.electrons.kpm.spectrum import Spectrum
from sdgnn.electrons.settings import KPMSettings
from sdgnn.electrons.vectors import LANES
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

GIBIBYTE = 2**30

LEAK = 1.01
"""Moments |mu_m| > LEAK mu_0 say that levels lie outside the bounds of the spectrum."""

IN_FLIGHT = 5
"""Blocks of vectors that a thread of the compiled recursion holds at once."""

AGAIN = 8
"""One vector in AGAIN, and at least a block, is drawn twice: the difference tells the noise."""

TEMPORARIES = 12
"""Blocks of vectors that tensor operations hold at once, per block of the recursion."""

FEWEST_VECTORS = 32
"""Vectors with which a field that is asked for a tolerance begins."""

FEWEST_MOMENTS = 64
"""Moments with which it begins."""

NOISE, TRUNCATION = 0.85, 0.5
"""Parts of a tolerance that noise and truncation may take: their squares add to less than 1."""

MOST_MOMENTS = 2**15
"""A tolerance that needs more moments is refused."""


@dataclass(frozen=True)
class KPMResult(FieldResult):
    """What a kernel polynomial field says about a batch of states, with its own errors.

    ``torque_error`` is sqrt(noise^2 + truncation^2) with the part of the noise transverse to the spins, the same on
    every site.
    """

    noise: Float[Tensor, " replica"] | None = None
    """(replica,) standard deviation of a component of the field over seeds, root mean square over sites, in t."""
    truncation: Float[Tensor, " replica"] | None = None
    """(replica,) error of a component of the field from the finite number of moments, in t."""
    moments: Int[Tensor, " replica"] | None = None
    """(replica,) moments that were used."""
    vectors: Int[Tensor, " replica"] | None = None
    """(replica,) probing vectors that were used, for each twist."""

    __repr__ = one_line


@dataclass(frozen=True)
class _Part:
    """Some vectors of the probe on some of the states, with one twist."""

    engine: Recursion[Any]
    replicas: range
    probe: Probe
    start: int
    stop: int
    twist: int
    share: float
    """What each vector counts."""
    drawn_twice: bool = False
    """Whether there is another part with other phases."""
    draw: int = 0
    """Which draw of the phases."""

    @property
    def lanes(self) -> int:
        """Vectors in memory."""
        return len(self.replicas) * -(-(self.stop - self.start) // LANES) * LANES

    def forward(self, moments: int, keep: bool) -> tuple[Tensor, Any]:
        """Moments summed over the vectors (replica, moment), and with ``keep`` the last two vectors."""
        psi = self.probe.vectors(self.start, self.stop, self.twist, self.draw).expand(len(self.replicas), -1, -1, -1)
        found, before, last = self.engine.forward(self.engine.pack(psi), moments)
        if not bool((found.abs() <= LEAK * found[:, :1]).all()):
            raise NumericalError("levels beyond the bounds of the spectrum, or spins that are not finite")
        return found.sum(-1).cpu(), (before, last) if keep else None

    def reverse(self, moments: int, weights: np.ndarray, states: Any) -> Tensor:
        """Slopes summed over the vectors (replica, site, 4); without the last vectors, these are found again."""
        if states is None:
            states = self.forward(moments, keep=True)[1]
        before, last = states
        return self.engine.reverse(before, last, weights[list(self.replicas)]).cpu()

    def both(self, moments: int, weights: np.ndarray) -> tuple[Tensor, Tensor]:
        """Moments and slopes."""
        trace, states = self.forward(moments, keep=True)
        return trace, self.reverse(moments, weights, states)


def _weights(expansions: list[Expansion], mu: list[float]) -> np.ndarray:
    return reverse_weights(np.stack([e.grand_potential(m) for e, m in zip(expansions, mu, strict=True)]))


def _batched(device: torch.device) -> bool:
    """Whether many states and vectors are best computed together: not by the compiled loops, which fill the caches."""
    return device.type != "cpu"


def _drawn_twice(probe: Probe) -> int:
    """Number of first vectors that are drawn twice: none of an exact trace, else at least one block."""
    blocks = -(-probe.count // (LANES * AGAIN))
    return 0 if probe.exact else min(blocks * LANES, probe.count)


def _stack(results: list[KPMResult]) -> KPMResult:
    """Results of several groups of states as one."""
    if len(results) == 1:
        return results[0]
    return KPMResult(**{f.name: torch.cat([getattr(r, f.name) for r in results]) for f in fields(KPMResult)})


@unchanging
class KPMField(Field):
    """H_i = J <c+_i sigma c_i> as minus the slope of a Chebyshev expansion of the grand potential.

        Omega = sum_{m < moments} g_m c_m(mu) mu_m,    mu_m = Tr T_m((H - centre) / scale) ~ sum_r <r|T_m|r>

    with c_m the coefficients of -kT ln(1 + exp(-(e - mu)/kT)), g_m = 1, or the Jackson kernel where kT is not resolved,
    and random vectors r. The field is the derivative of this estimate with respect to the spins, taken by running the
    recursion backwards (gradient-based probing: Wang, Chern, Batista and Barros, J. Chem. Phys. 148, 094107,
    doi:10.1063/1.5017741); its cost is 3/2 ``moments`` products of H with each vector, linear in the sites.

    ============= ====================================================================================================
    argument      meaning
    ============= ====================================================================================================
    kT            as in :class:`~sdgnn.electrons.exact.ExactField`
    mu, filling   likewise: at fixed filling, mu follows from the moments and the energy is F = Omega + mu N_e
    twists        likewise: one mu is common to all, each twist has its own vectors
    moments       even number of terms; the field converges as exp(-pi kT moments / scale), scale = half the width of
                  the spectrum, and as 1 / moments at kT = 0
    vectors       at most so many probing vectors for each state; None for the full trace, which has no noise
    probing       ``coloured``: vectors that live on far sites each, noise falling exponentially with the distance;
                  ``plain``: on all sites, noise falling as 1 / sqrt(vectors)
    seed          of the random phases. They are the same for all states and calls, so that the field is a function of
                  the spins, and the slope of its energy; at fixed mu, the mean over seeds has no bias
    tolerance     root mean square error of a component of the field, in t; moments and vectors are then chosen for
                  each state, and ``moments`` and ``vectors`` are not used
    dtype         float64 or float32, of the calculation and its results; rounding in float32, some 1e-7, adds to the
                  errors
    memory        bytes that vectors may take
    ============= ====================================================================================================

        field = sdgnn.KPMField(model, kT=0.1, mu=-3.2, moments=500, vectors=128, seed=0)
        result = field(spins)  # energy, field, density, mu; noise and truncation are estimates of errors
        precise = sdgnn.KPMField(model, kT=0.1, filling=0.25, tolerance=0.002)

    Results are :class:`KPMResult`, with estimates of both errors. ``noise``: an eighth of the vectors, and at least 16,
    are drawn twice; their difference shows the spread over seeds, their mean enters the field. ``truncation``: 2 |J|
    times the root mean square error of the expanded occupation over the density of states, which bounds that of the
    field. On the CPU loops are compiled, over 16 vectors at a time on each of torch's threads; spins on another device
    are computed there, with tensor operations.

    Raises UserError as ExactField does, and on numbers of moments or vectors out of range.
    """

    def __init__(
        self,
        model: SDModel,
        kT: float,
        mu: float | None = None,
        filling: float | None = None,
        moments: int = 500,
        vectors: int | None = 128,
        seed: int = 0,
        tolerance: float | None = None,
        twists: Sequence[int] | None = None,
        probing: str = "coloured",
        dtype: torch.dtype = torch.float64,
        memory: float = GIBIBYTE,
    ) -> None:
        self.ensemble = check_ensemble(kT, mu, filling)
        self.kT, self.mu, self.filling = self.ensemble
        settings = KPMSettings(
            moments=moments, vectors=vectors, seed=check_seed(seed), tolerance=tolerance, probing=probing
        )
        if dtype not in (torch.float32, torch.float64):
            raise UserError(f"dtype {dtype}", allowed="torch.float32 or torch.float64")
        if not memory > 0:
            raise UserError(f"memory {memory}", allowed="a positive number of bytes")
        self.model = model
        self.lattice = model.lattice
        self.moments, self.vectors, self.tolerance = settings.moments, settings.vectors, settings.tolerance
        self.seed, self.probing = settings.seed, settings.probing
        self.twists = check_twists(twists, model.lattice.dim)
        self.dtype = dtype
        self.memory = float(memory)
        self._hoppings = hopping_tables(model, self.twists, dtype)
        self._probes: dict[int | None, Probe] = {}

    def refined(self, **changes: Any) -> KPMField:
        """A copy with other ``moments``, ``vectors``, ``seed``, ``tolerance``, ``probing`` or ``dtype``."""
        names = ("moments", "vectors", "seed", "tolerance", "probing", "dtype")
        for name in changes:
            if name not in names:
                raise UserError(f"refined({name}=...)", allowed=", ".join(names))
        return self._with(self.model, **changes)

    def on(self, lattice: Lattice) -> KPMField:
        """Field of these electrons, with these settings, on another lattice."""
        return self._with(SDModel.from_dict(lattice, self.model.to_dict()))

    def _with(self, model: SDModel, **changes: Any) -> KPMField:
        names = ("moments", "vectors", "seed", "tolerance", "probing", "dtype")
        settings = {name: changes.get(name, getattr(self, name)) for name in names}
        return KPMField(model, self.kT, self.mu, self.filling, twists=self.twists, memory=self.memory, **settings)

    def chemical_potential(self, spins: Numbers) -> Float[Tensor, " replica"]:
        """The given mu, or the one that gives the filling, from the moments."""
        mu = self(spins).mu
        assert mu is not None
        return mu

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        if self.tolerance is None:
            return self._evaluate(spins, self.moments, self.vectors)
        return _stack([self._to_tolerance(spins[r : r + 1], self.tolerance) for r in range(len(spins))])

    def _to_tolerance(self, spins: Tensor, tolerance: float) -> KPMResult:
        """The field of one state, with moments and vectors added until its errors are small enough."""
        bounds = spectral_bounds(self.model, spins, self._hoppings)
        (start,) = expansions_of(bounds, self.kT, FEWEST_MOMENTS)
        moments, vectors = FEWEST_MOMENTS, FEWEST_VECTORS
        # mu in the middle of the band is where moments converge most slowly
        while self._bound(replace(start, moments=moments).truncation(start.centre)) > TRUNCATION * tolerance:
            moments = self._more(moments)
        while True:
            result = self._evaluate(spins, moments, vectors)
            noise, truncation = (float(error) for error in (result.noise, result.truncation) if error is not None)
            if truncation <= TRUNCATION * tolerance and noise <= NOISE * tolerance:
                return result
            if truncation > TRUNCATION * tolerance:
                moments = self._more(moments)
            if noise > NOISE * tolerance:
                vectors *= 4 if noise > 4 * tolerance else 2

    def _more(self, moments: int) -> int:
        """A quarter more moments. Raises UserError at MOST_MOMENTS."""
        if moments >= MOST_MOMENTS:
            raise UserError(
                f"tolerance {self.tolerance} at kT = {self.kT:g} needs more than {MOST_MOMENTS} moments",
                allowed="a larger tolerance or kT",
            )
        return moments + 2 * (moments // 8)

    def _bound(self, occupation: float) -> float:
        """Bound of the field's error from that of the occupation: |dH_a| <= |J| sum_n p_n |df_n|, with sum p_n = 2."""
        return 2 * abs(self.model.exchange) * occupation

    def _evaluate(self, spins: Tensor, moments: int, vectors: int | None) -> KPMResult:
        probe = self._probe(vectors)
        size = 4 * self.lattice.n_sites * (4 if self.dtype == torch.float32 else 8)
        if not _batched(spins.device):
            together = self.memory / (2 * size * probe.count * len(self._hoppings)) if self.mu is None else math.inf
        else:
            together = self.memory / (TEMPORARIES * size * LANES)
        group = int(max(1, min(together, len(spins))))
        return _stack([self._group(part, moments, probe, size) for part in spins.split(group)])

    def _probe(self, vectors: int | None) -> Probe:
        if vectors not in self._probes:
            self._probes[vectors] = Probe.of(self.lattice, vectors, self.probing, self.seed)
        return self._probes[vectors]

    def _group(self, spins: Tensor, moments: int, probe: Probe, size: int) -> KPMResult:
        """Results of states whose last vectors fit the memory together, ``size`` bytes each."""
        spectrum = Spectrum.of(self.model, spins, self._hoppings)
        expansions = expansions_of(spectrum.bounds, self.kT, moments)
        parts = self._parts(spectrum.hamiltonians, probe, size)

        traces = torch.zeros(len(spins), moments, dtype=torch.float64, device="cpu")
        slope = torch.zeros(*spins.shape[:2], 4, dtype=torch.float64, device="cpu")
        difference = torch.zeros_like(slope)

        def collect(part: _Part, found: Tensor) -> None:
            slope[part.replicas] += part.share * found
            if part.drawn_twice:
                difference[part.replicas] += (-1) ** part.draw * found

        with self._workers(spins.device, size) as run:
            if self.mu is not None:
                mu = [self.mu] * len(spins)
                weights = _weights(expansions, mu)
                for part, (trace, found) in zip(parts, run(lambda p: p.both(moments, weights), parts), strict=True):
                    traces[part.replicas] += part.share * trace
                    collect(part, found)
            else:
                assert self.filling is not None
                used = itertools.accumulate(2 * size * part.lanes for part in parts)
                keep = {id(part): total <= self.memory for part, total in zip(parts, used, strict=True)}
                states = []
                for part, (trace, last) in zip(
                    parts, run(lambda p: p.forward(moments, keep[id(p)]), parts), strict=True
                ):
                    traces[part.replicas] += part.share * trace
                    states.append(last)
                filling = self.filling
                mu = [e.chemical_potential(t, filling) for e, t in zip(expansions, traces.numpy(), strict=True)]
                weights = _weights(expansions, mu)
                given = zip(parts, states, strict=True)
                for part, found in zip(parts, run(lambda pair: pair[0].reverse(moments, weights, pair[1]), given)):
                    collect(part, found)

        scale = torch.tensor([e.scale for e in expansions], dtype=torch.float64, device="cpu")[:, None, None]
        energy = [e.grand_potential(m) @ t for e, m, t in zip(expansions, mu, traces.numpy(), strict=True)]
        if self.filling is not None:
            energy = [
                e + m * self.filling * self.model.n_orbitals if math.isfinite(m) else e for e, m in zip(energy, mu)
            ]
        field = self.model.exchange / scale * slope[..., :3]
        noise = self.model.exchange / scale * self._noise(difference[..., :3], probe)
        along = torch.nn.functional.normalize(spins.to("cpu", torch.float64), dim=-1)
        across = noise - (noise * along).sum(-1, keepdim=True) * along
        truncation = [self._bound(e.truncation(m, t)) for e, m, t in zip(expansions, mu, traces.numpy(), strict=True)]
        cut = torch.tensor(truncation, dtype=torch.float64, device="cpu")
        torque_error = (across.square().mean((1, 2)) + cut.square()).sqrt()

        def out(values: Tensor) -> Tensor:
            return values.to(device=spins.device, dtype=self.dtype)

        return KPMResult(
            energy=torch.tensor(energy, dtype=torch.float64, device=spins.device),
            field=out(field),
            density=out(slope[..., 3] / scale[..., 0]),
            torque_error=out(torque_error[:, None].expand(slope.shape[:2])),
            mu=out(torch.tensor(mu, dtype=torch.float64, device="cpu")),
            noise=out(noise.square().mean((1, 2)).sqrt()),
            truncation=out(cut),
            moments=torch.full((len(spins),), moments, device="cpu"),
            vectors=torch.full((len(spins),), probe.count, device="cpu"),
        )

    def _parts(self, scaled: Sequence[ScaledHamiltonian], probe: Probe, size: int) -> list[_Part]:
        """The work, one block of vectors after the other; last, the first blocks again with other phases."""
        replicas, twice = len(scaled[0].local), _drawn_twice(probe)
        if not _batched(scaled[0].local.device):
            batches = [range(r, r + 1) for r in range(replicas)]
            engines = [[recursion(h.one(r)) for r in range(replicas)] for h in scaled]
            width = LANES
        else:
            batches = [range(replicas)]
            engines = [[recursion(h)] for h in scaled]
            width = max(LANES, int(self.memory / (TEMPORARIES * size * replicas)) // LANES * LANES)
        edges = [*range(0, twice, width), *range(twice, probe.count, width), probe.count]
        share = probe.weight / len(scaled)
        parts = []
        for twist, row in enumerate(engines):
            for engine, batch in zip(row, batches, strict=True):
                for start, stop in itertools.pairwise(edges):
                    if twist == 0 and start < twice:
                        parts += [_Part(engine, batch, probe, start, stop, twist, share / 2, True, d) for d in (0, 1)]
                    else:
                        parts.append(_Part(engine, batch, probe, start, stop, twist, share))
        return parts

    def _noise(self, difference: Tensor, probe: Probe) -> Tensor:
        """A draw from the distribution of the slopes' noise, from the difference of two draws of the first vectors.

        The vectors of one twist that are drawn twice give the slopes a and b. The noise of all others has the variance
        of a - b times half their number over that of these, and their mean (a + b)/2 that of (a - b)/2.
        """
        twists = len(self._hoppings)
        whole = twists * probe.count / max(_drawn_twice(probe), 1)
        return probe.weight / twists * math.sqrt((whole - 0.5) / 2) * difference

    @contextmanager
    def _workers(self, device: torch.device, size: int) -> Iterator[Callable[..., Iterable[Any]]]:
        """A map over parts: on as many of torch's threads as the memory allows on the CPU, one by one elsewhere."""
        threads = min(torch.get_num_threads(), int(self.memory / (IN_FLIGHT * size * LANES)))
        if _batched(device) or threads <= 1:
            yield map
            return
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map

    def __repr__(self) -> str:
        twists = f", twists={self.twists}" if max(self.twists) > 1 else ""
        if self.tolerance is not None:
            size = f"tolerance={self.tolerance:g}"
        else:
            size = f"moments={self.moments}, " + ("full trace" if self.vectors is None else f"vectors={self.vectors}")
        number = str(self.dtype).removeprefix("torch.")
        return f"KPMField({self.ensemble}{twists}, {size}, {number}) of {self.model!r}"
