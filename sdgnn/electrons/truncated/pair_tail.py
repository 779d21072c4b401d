"""Pairs of spins that balls miss: long-range couplings of spins in a disordered magnet, by FFT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import frozen
from sdgnn.electrons.exact import ExactField
from sdgnn.electrons.truncated.balls import crystal_balls
from sdgnn.electrons.truncated.field import TruncatedField
from sdgnn.electrons.truncated.medium import Medium
from sdgnn.fields import Field, FieldResult, torque_part
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE

LEAST = 0.01
"""Share of the squared torque of random spins from which on :func:`with_pair_tail` adds the tail."""

SITES = 4000
"""Random spins, at least, on which the couplings inside balls are measured."""

TWISTS = 2
"""Boundary phases along each axis of the exact states on which a tail is judged."""


@unchanging
class PairTail(Field):
    """E = -1/2 sum_ij K(r_ij) S_i . S_j, with field H_i = sum_j K(r_ij) S_j: couplings of any range on a crystal.

    ``couplings`` (d_1, ..., d_dim, n_basis, n_basis) holds K, in units of t, of spin a of a cell with spin b of the
    cell d away, an odd number of cells along each axis with d = 0 in the middle; K(d)_ab = K(-d)_ba. A lattice smaller
    than that has the sum over periodic images, so that states mean the infinite crystal. Evaluated by FFT in the dtype
    and on the device of the spins.
    :meth:`of` makes the one that belongs to a
    :class:`~sdgnn.electrons.truncated.TruncatedField`. Raises UserError on free lattices and couplings of another
    shape or without that symmetry.
    """

    def __init__(
        self, lattice: Lattice, couplings: Float[np.ndarray, "*cell n_basis n_basis"], share: float | None = None
    ) -> None:
        if lattice.shape is None:
            raise UserError(f"a pair tail on {lattice!r}", allowed="crystals: it is a sum over momenta")
        couplings = frozen(np.array(couplings, dtype=np.float64))
        cells, basis = couplings.shape[: lattice.dim], couplings.shape[lattice.dim :]
        if basis != (lattice.n_basis,) * 2 or any(n % 2 == 0 for n in cells):
            raise UserError(
                f"couplings of shape {couplings.shape} on {lattice!r}",
                allowed=f"{lattice.dim} odd number(s) of cells, then {lattice.n_basis} x {lattice.n_basis}",
            )
        back = np.flip(couplings, axis=tuple(range(lattice.dim))).swapaxes(-1, -2)
        if not np.allclose(couplings, back, rtol=0, atol=1e-9 * float(np.abs(couplings).max(initial=0.0)) + 1e-300):
            raise UserError("couplings that differ between i, j and j, i", allowed="K(d)_ab = K(-d)_ba")
        self.lattice, self.couplings = lattice, couplings
        self.share = share
        """Part of the squared torque of random spins that the tail adds; None where that was not measured."""
        self._at_momenta = self._wrapped()

    @classmethod
    def of(cls, field: TruncatedField, seed: int = 0) -> PairTail:
        """What the balls of ``field`` lack of the couplings of pairs of spins, among random spins.

            K(d) = K_medium(d) - K_ball(d)

        K_medium are the couplings in the coherent medium of random spins (:meth:`Medium.couplings`) at the field's kT
        and mu; at fixed filling at the medium's mu, so that E does not depend on the state's. K_ball are those that
        ``field`` has itself: its torques on at least 4000 random spins (``seed``), fitted by least squares with one
        coupling for each kind of pair (equal by the crystal's symmetry) within two cutoffs. Nothing is fitted to exact
        states.

        The mean over random spins is right for disordered ones; for J -> 0 it is perturbation theory, good for all
        spins. Ferromagnetic order at low filling spoils it: there the tail does harm, which :func:`with_pair_tail`
        tells from states that it is given. Raises UserError as :class:`Medium` does.
        """
        medium = Medium(field.model, field.kT)
        mu = field.mu if field.filling is None else medium.chemical_potential(field.filling)
        assert mu is not None
        couplings = medium.couplings(mu)
        if math.isinf(mu):
            return cls(field.lattice, couplings, 0.0)
        couplings = _within_circle(field.lattice, np.fft.fftshift(couplings, axes=range(couplings.ndim - 2)))
        middle = np.array(couplings.shape[:-2]) // 2

        pairs = Pairs.of(field)
        spins = textures.random(pairs.lattice, math.ceil(SITES / pairs.lattice.n_sites), seed)
        torque = torque_part(field.on(pairs.lattice)(spins).field, spins)
        columns = torch.stack([torque_part(unit(spins).field, spins).flatten() for unit in pairs.unit_fields])
        inside_balls = torch.linalg.solve(columns @ columns.T, columns @ torque.flatten())
        for place, value in zip(pairs.places, inside_balls.tolist(), strict=True):
            held = place[(np.abs(place[:, :-2]) <= middle).all(axis=1)]
            couplings[(*(held[:, :-2] + middle).T, *held[:, -2:].T)] -= value

        added = torque_part(cls(pairs.lattice, couplings)(spins).field, spins)
        whole = float((torque + added).square().sum())
        return cls(field.lattice, couplings, float(added.square().sum()) / whole if whole > 0 else 0.0)

    def on(self, lattice: Lattice) -> PairTail:
        if not self.lattice.same_family(lattice):
            raise UserError(f"the pair tail of {self.lattice!r} on {lattice!r}", allowed="the same crystal")
        return PairTail(lattice, self.couplings, self.share)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        shape = self.lattice.shape
        assert shape is not None
        axes = tuple(range(1, 1 + len(shape)))
        at_momenta = self._at_momenta.to(device=spins.device, dtype=spins.dtype.to_complex())
        transformed = torch.fft.rfftn(spins.reshape(len(spins), *shape, -1, 3), dim=axes)
        # H(x)_a = sum_d K(d)_ab S(x + d)_b is a correlation
        products = torch.einsum("...ab,r...bc->r...ac", at_momenta, transformed)
        field = torch.fft.irfftn(products, s=shape, dim=axes).reshape(spins.shape)
        return FieldResult(-0.5 * (spins * field).sum((1, 2), dtype=torch.float64), field)

    def _wrapped(self) -> Tensor:
        """sum_d K(d)_ab exp(i q d) at the momenta of the lattice, the last axis halved."""
        shape = self.lattice.shape
        assert shape is not None
        dim = len(shape)
        cells = np.indices(self.couplings.shape[:dim])
        middle = [n // 2 for n in self.couplings.shape[:dim]]
        place = tuple((cells[k] - middle[k]) % shape[k] for k in range(dim))
        wrapped = np.zeros((*shape, *self.couplings.shape[dim:]))
        np.add.at(wrapped, place, self.couplings)
        return torch.fft.rfftn(torch.from_numpy(wrapped), dim=tuple(range(dim))).conj().resolve_conj()

    def __repr__(self) -> str:
        share = "" if self.share is None else f"; {self.share:.2g} of the squared torque of random spins"
        cells = " x ".join(map(str, self.couplings.shape[: self.lattice.dim]))
        return f"PairTail(couplings to {cells} cells{share}) on {self.lattice!r}"


def with_pair_tail(
    field: TruncatedField, least: float = LEAST, states: Float[Tensor, "replica site 3"] | None = None, seed: int = 0
) -> Field:
    """``field`` plus its :meth:`PairTail.of`, or ``field`` itself where the tail does little or harm.

    The tail is added where it makes up at least ``least`` of the squared torque of random spins, and, if ``states`` are
    given, lowers the squared torque error on them: exact ones of the infinite crystal are made on the spot
    (:class:`~sdgnn.electrons.exact.ExactField` with twists), so ``field`` is best on a small lattice then, and what
    comes back used ``.on(larger)``. Raises UserError as :class:`Medium` does.
    """
    tail = PairTail.of(field, seed)
    assert tail.share is not None
    if tail.share < least:
        return field
    if states is not None:
        twists = [TWISTS] * field.lattice.dim
        exact = ExactField(field.model, field.kT, field.mu, field.filling, twists=twists)
        error = torque_part(field(states).field - exact(states).field, states)
        with_tail = error + torque_part(tail(states).field, states)
        if with_tail.square().sum() >= error.square().sum():
            return field
    return field + tail


def _within_circle(lattice: Lattice, couplings: np.ndarray) -> np.ndarray:
    """Couplings to the distance that they hold in all directions; cells that are no circle break the symmetry."""
    assert lattice.vectors is not None and lattice.basis is not None
    extent = np.array(couplings.shape[:-2])
    cells = np.moveaxis(np.indices(couplings.shape[:-2]), 0, -1) - extent // 2
    inside = lattice.basis[None] - lattice.basis[:, None]
    distance = np.linalg.norm((cells @ lattice.vectors)[..., None, None, :] + inside, axis=-1)
    heights = extent / np.linalg.norm(np.linalg.inv(lattice.vectors), axis=0)
    held = float(heights.min()) / 2 - float(np.linalg.norm(inside, axis=-1).max()) - LENGTH_TOLERANCE
    return np.where(distance <= held + LENGTH_TOLERANCE / 2, couplings, 0.0)


@dataclass(frozen=True)
class Pairs:
    """Kinds of pairs of sites within two cutoffs, on a crystal that holds each of them once."""

    lattice: Lattice
    places: list[Int[np.ndarray, "_ place"]]
    """(pair, dim + 2) of each kind: the cell from one site's to the other's, and both sublattices."""

    @classmethod
    def of(cls, field: TruncatedField) -> Pairs:
        """Kinds of pairs in the balls of ``field``."""
        reach = 2 * field.cutoff
        balls = crystal_balls(field.model, reach, reach)
        places = np.concatenate(
            [np.column_stack([b.images, np.full(len(b), a), b.member])[1:] for a, b in enumerate(balls)]
        )
        extent = 2 * int(np.abs(places[:, :-2]).max()) + 2
        lattice = field.lattice.resized(*[extent] * field.lattice.dim)
        n_basis = lattice.n_basis

        def number(from_: np.ndarray, to: np.ndarray) -> np.ndarray:
            """One number of each pair, wherever it is."""
            away = lattice.cells(to) - lattice.cells(from_)
            return lattice.sites_at(away, to % n_basis) * n_basis + from_ % n_basis

        source = places[:, -2]
        target = lattice.sites_at(places[:, :-2], places[:, -1])
        images = [
            number(*pair)
            for sites in (operation.sites for operation in lattice.point_group)
            for pair in ((sites[source], sites[target]), (sites[target], sites[source]))
        ]
        _, kind = np.unique(np.min(images, axis=0), return_inverse=True)
        return cls(lattice, [places[kind == k] for k in range(int(kind.max()) + 1)])

    @property
    def unit_fields(self) -> Iterator[PairTail]:
        """The field of couplings of strength 1, of each kind."""
        middle = np.array(self.lattice.shape) // 2
        for place in self.places:
            couplings = np.zeros((*(2 * middle + 1), *[self.lattice.n_basis] * 2))
            couplings[(*(place[:, :-2] + middle).T, *place[:, -2:].T)] = 1
            yield PairTail(self.lattice, couplings)
