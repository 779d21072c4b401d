"""Calibration: a factor of each moment for one Hamiltonian, by least squares to a handful of exact states."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.provenance import provenance
from sdgnn.data import LabelSet
from sdgnn.data.sampling import Order, ordered
from sdgnn.data.solvers import label
from sdgnn.electrons import ExactField
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.levels import Level
from sdgnn.electrons.truncated.choice import LARGEST, smaller
from sdgnn.fields import torque_part
from sdgnn.lattice import Lattice
from sdgnn.nn import ElectronsSettings, Network, NetworkField, NetworkSettings
from sdgnn.nn.readout import UNIT
from sdgnn.train.binding import bind, electrons_of
from sdgnn.train.held_out import seen_record
from sdgnn.train.sum_rule import check_sum_rule

LENGTH, DIAGONALISATIONS = 40, 30
"""Sites along each axis, at least, of the crystal of repeated spins that exact states stand for, unless that takes more
diagonalisations of each."""

RANDOM = 4
"""Random states."""

FITTED: tuple[Order, ...] = ("ferro", "neel", "stripe", "order120", "tetrahedral")
"""Orders among the exact states, where they fit the lattice."""

NOISE = (0.1, 0.3, 0.6)
"""Noise on every order that fits the lattice."""

PRIORS = tuple(10.0**k for k in range(-3, 4))
"""Weights of the prior, relative to the sum of all squared torques of a moment, of which the best is taken."""

WORTH = 0.97
"""Part of the squared error that must be left, at most, for factors to be kept."""


@dataclass(frozen=True)
class FamilyError:
    """Torque R² of the states of one family."""

    family: str
    """Their kind."""
    states: int
    """Their number."""
    plain: float
    """Without factors."""
    calibrated: float
    """With factors fitted to all states but the one that is judged."""
    unseen: float | None
    """With factors fitted to the states of all other families, and not switched off; None where there are none."""


@dataclass(frozen=True)
class CalibrationReport:
    """How much factors of moments help, judged on states that they were not fitted to."""

    families: tuple[FamilyError, ...]
    """By family."""
    prior: float
    """Weight of the plain walk as prior."""
    kept: bool
    """Whether factors are used; otherwise the network is the plain walk."""
    seconds: float
    """Time of labels and fit."""

    def __repr__(self) -> str:
        head = "factors are kept" if self.kept else "factors do not pay: the plain walk"
        return f"{head} (prior {self.prior:g}, {self.seconds:.0f} s)"

    def __str__(self) -> str:
        lines = [repr(self)]
        lines.append(f"{'torque R² of':24s} {'states':>6s} {'plain':>8s} {'calibrated':>11s} {'unseen family':>14s}")
        lines += [
            f"{one.family:24s} {one.states:6d} {one.plain:8.4f} {one.calibrated:11.4f} "
            f"{'-' if one.unseen is None else f'{one.unseen:.4f}':>14s}"
            for one in self.families
        ]
        return "\n".join(lines)


def calibrate(
    model: SDModel,
    kT: float,
    mu: float | None = None,
    filling: float | None = None,
    *,
    level: Level | None = None,
    cutoff: int | None = None,
    moments: int | None = None,
    labels: LabelSet | None = None,
) -> tuple[Network, CalibrationReport]:
    """A network whose factors of moments are fitted to exact states of these electrons, and how good they are.

    E = sum_i sum_n (c_n(mu) M_n(i) + a_n [M_n(i) - m_n]) with the a_n that minimise

        sum_states |T - T_exact|^2 / T_f^2 + prior sum_n a_n^2 t_n^2,

    T_f^2 the squared torque of all states of a family, t_n^2 that of moment n alone. The prior is the one with the
    smallest error on states left out of the fit. Where this leaves more than 97 % of the plain walk's squared error,
    factors stay zero. Sites unlike those of the fit keep the plain walk (see :class:`~sdgnn.nn.readout.Readout`), so
    give states of the kind that will be met.

    ============ =====================================================================================================
    argument     meaning
    ============ =====================================================================================================
    model        the Hamiltonian; without labels, exact states are made on some 200 sites of its crystal, repeated so
                 that they stand for a larger one: random ones and every order that fits, with noise of 0.1, 0.3, 0.6
    kT           of the electrons
    mu, filling  of the electrons: one of the two
    level        ``fast`` (the default) or ``accurate``; or numbers of one's own:
    cutoff       that of :class:`~sdgnn.electrons.truncated.field.TruncatedField`
    moments      likewise
    labels       exact states of one's own, of these electrons; families are told apart by their protocol
    ============ =====================================================================================================

        network, report = sdgnn.calibrate(model, kT=0.05, filling=0.25)
        print(report)
        field = network.on(sdgnn.Lattice.triangular(96, 96))

    Raises UserError on a lattice without unit cells of more than 600 sites, and on labels of fewer than two states, of
    other electrons or that no rotation-invariant energy has (:mod:`~sdgnn.train.sum_rule`).
    """
    start = time.perf_counter()
    electrons = ElectronsSettings(hamiltonian=model.to_dict(), kT=kT, mu=mu, filling=filling)
    labels = exact_states(model, kT, mu, filling) if labels is None else labels
    if len(labels) < 2:
        raise UserError(f"{len(labels)} labelled state(s)", allowed="at least 2, each judged by a fit to the others")
    settings = NetworkSettings(level=level, cutoff=cutoff, moments=moments, hidden=0, electrons=electrons)
    network = Network(settings, labels.lattice).double()
    field = bind(network, labels, torch.float64)
    assert isinstance(field, NetworkField) and network.readout is not None
    if electrons_of(labels.origin) not in (None, electrons):
        raise UserError(f"labels of {field.electrons!r}", allowed=f"labels of {electrons!r}")
    check_sum_rule(network, [labels])
    network.look([(field, labels.spins)])
    equations = zip(*(_normal_equations(field, labels[k]) for k in range(len(labels))), strict=True)
    matrices, rights, plain, torque = (np.array(parts) for parts in equations)
    states, families = np.arange(len(labels)), np.array(labels.protocol)
    weights = np.array([1 / max(torque[families == family].sum(), 1e-300) for family in families])

    def solved(chosen: np.ndarray, prior: float) -> np.ndarray:
        """Factors fitted to the chosen states."""
        matrix = np.tensordot(weights[chosen], matrices[chosen], 1)
        diagonal = np.diag(matrix)
        regular = matrix + np.diag(prior * diagonal + 1e-9 * diagonal.max())
        return np.linalg.solve(regular, weights[chosen] @ rights[chosen])

    def left(state: int, chosen: np.ndarray, prior: float) -> float:
        """Squared torque error of a state with factors fitted to the chosen ones."""
        factors = solved(chosen, prior)
        return float(factors @ matrices[state] @ factors - 2 * factors @ rights[state] + plain[state])

    left_out = {prior: np.array([left(k, states != k, prior) for k in states.tolist()]) for prior in PRIORS}
    scores = {prior: weights @ errors / max(weights @ plain, 1e-300) for prior, errors in left_out.items()}
    prior = min(PRIORS, key=lambda one: scores[one])
    kept = bool(scores[prior] <= WORTH)
    rows = []
    for family in dict.fromkeys(labels.protocol):
        own = families == family
        squared = max(torque[own].sum(), 1e-300)
        before, after = (float(1 - errors.sum() / squared) for errors in (plain[own], left_out[prior][own]))
        unseen = None
        if not own.all():
            unseen = 1 - sum(left(k, ~own, prior) for k in states[own].tolist()) / float(squared)
        rows.append(FamilyError(family, int(own.sum()), before, after, unseen))
    if kept:
        with torch.no_grad():
            network.readout.factors.copy_(torch.from_numpy(solved(states, prior) / UNIT))
    report = CalibrationReport(tuple(rows), prior, kept, round(time.perf_counter() - start, 1))
    network = network.float()
    network.constant.data = network.constant.data.double()
    network.provenance = {**provenance(), "calibration": asdict(report), "labels": labels.content_hash}
    network.provenance["seen"] = seen_record([labels], [])
    return network, report


def exact_states(model: SDModel, kT: float, mu: float | None, filling: float | None) -> LabelSet:
    """Random states and :data:`FITTED` orders with noise, exactly solved on a small crystal of repeated spins.

    Raises UserError on a lattice without unit cells of more than 600 sites.
    """
    lattice = model.lattice
    if lattice.is_crystal:
        lattice = smaller(lattice)
        model = SDModel.from_dict(lattice, model.to_dict())
    elif lattice.n_sites > LARGEST:
        raise UserError(
            f"exact states of {lattice!r}", allowed=f"up to {LARGEST} sites without unit cells",
            fix="give the same electrons on a smaller lattice, or labels",
        )  # fmt: skip
    states, names = [textures.random(lattice, replicas=RANDOM, seed=0)], ["random"] * RANDOM
    for number, name in enumerate(FITTED):
        try:
            whole = ordered(name, lattice)
        except UserError:
            continue
        for k, noise in enumerate(NOISE):
            states.append(textures.rotate_randomly(textures.noisy(whole, noise, seed=10 * number + k), seed=k))
            names.append(name)
    return label(ExactField(model, kT, mu, filling, twists=_twists(lattice)), torch.cat(states), names)


def _twists(lattice: Lattice) -> tuple[int, ...]:
    """Boundary phases along each axis."""
    side = lattice.n_sites ** (1 / lattice.dim)
    most = max(k for k in range(1, DIAGONALISATIONS + 1) if k**lattice.dim <= DIAGONALISATIONS)
    return (min(most, math.ceil(LENGTH / side)),) * lattice.dim


def _normal_equations(field: NetworkField, state: LabelSet) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Least squares of the factors in one state, from the torques of each moment, one adjoint walk for each.

    B B^T and B d with B (moment, component) the torques of the moments and d what the plain walk's torque lacks; d . d;
    and the squared torque.
    """
    readout = field.network.readout
    assert readout is not None
    spins = state.spins  # in float32, rounding would find factors for moments that move no torque
    moments = field.electrons.local_moments(spins)
    columns: list[Tensor] = []
    for row in torch.eye(len(readout.mean), dtype=torch.float32, device="cpu"):
        slopes = readout.spread_out(row, moments.shape)
        columns.append(torque_part(field.electrons.field_of_moments(spins, slopes), spins).flatten())
    basis = torch.stack(columns).double().numpy()
    exact = torque_part(state.field, state.spins)
    missing = (exact - torque_part(field.electrons(spins).field, spins).double()).flatten().numpy()
    return basis @ basis.T, basis @ missing, float(missing @ missing), float(exact.square().sum())
