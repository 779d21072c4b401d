"""Effective exchange of any field around any state: the second derivatives of its energy, bond by bond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.analysis.spectra.static import wave_vectors
from sdgnn.analysis.waves.magnetic_cell import MagneticCell, magnetic_cell, whole_cell
from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import freeze
from sdgnn.fields.bond_exchange import LEVI_CIVITA
from sdgnn.fields.protocol import Field, check_spins, halo_of, pairs_of
from sdgnn.fields.schedules import Time
from sdgnn.lattice import LENGTH_TOLERANCE, Bonds, Lattice
from sdgnn.lattice.colouring import first_colours
from sdgnn.lattice.periodic import nearest_images

STATES = 32
"""Displaced states that are evaluated at once."""
EQUAL = 1e-6
"""Difference of J(q), relative to the largest, up to which two wave vectors have the same."""
NOTHING = 1e-12
"""Couplings, relative to the largest, that are left out."""
SAME_FIELD = 1e-5
"""Difference, relative to the field, up to which the field of a translated state is the translated field."""


@dataclass(frozen=True, eq=False)
class Couplings:
    """Effective exchange around a state, from :func:`exchange`:

        E = E_0 - 1/2 sum_ij S_i . J_ij S_j - 1/2 sum_i S_i . K_i S_i - sum_i h_i . S_i,        J_ji = J_ij^T

    with each bond in both directions: J_ij is that of E = - sum_<ij> S_i . J_ij S_j over bonds, each once. For
    E = - J S_i . S_j it is J times unity (J > 0 ferromagnetic), for E = - D_ij . (S_i x S_j) it has the antisymmetric
    part J^ab = sum_c eps_cab D^c, for E = - K (S_i . n)^2 K_i is 2 K n n^T. ``bilinear`` tells which of two:

    ======== =====================================================================================================
    True     E is bilinear in the spins: E is this expression, whatever the state
    False    E is anything else (electrons, walks, networks): its second-order change around this state, and only
             around it. Spins of length 1 move transverse to themselves, so that J_ij = P_i J_ij P_j with
             P_i = 1 - S_i S_i^T; K_i = P_i (d2E/dS_i^2 + S_i . H_i) P_i with the sign turned, and h_i = 0
    ======== =====================================================================================================
    """

    lattice: Lattice
    """Where the state is."""
    cell: MagneticCell
    """The magnetic cell; ``source`` and ``target`` count its sites."""
    spins: Float[np.ndarray, "member 3"]
    """(member, 3) the state, |S| = 1."""
    field: Float[np.ndarray, "member 3"]
    """(member, 3) H_i = -dE/dS_i."""
    source: Int[np.ndarray, " bond"]
    """(bond,) member i of the magnetic cell at which the bond starts."""
    target: Int[np.ndarray, " bond"]
    """(bond,) member j that its end repeats."""
    vector: Float[np.ndarray, "bond dim"]
    """(bond, dim) displacement r_j - r_i."""
    tensor: Float[np.ndarray, "bond 3 3"]
    """(bond, 3, 3) J_ij, in units of t."""
    onsite: Float[np.ndarray, "member 3 3"]
    """(member, 3, 3) K_i, symmetric."""
    external: Float[np.ndarray, "member 3"]
    """(member, 3) h_i."""
    bilinear: bool
    """Whether E is bilinear in the spins."""
    asymmetry: float
    """Largest |J_ij - J_ji^T| before both were made equal: what differences, noise and rounding leave."""

    def __post_init__(self) -> None:
        freeze(self)

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        kind = "bilinear" if self.bilinear else "around one state"
        return f"Couplings({len(self)} bonds of {self.cell.count} sites, {kind}) on {self.lattice!r}"

    @property
    def residual_torque(self) -> float:
        """Largest |S_i x H_i|: 0 in a state at rest."""
        return float(np.linalg.norm(np.cross(self.spins, self.field), axis=1).max())

    @property
    def length(self) -> Float[np.ndarray, " bond"]:
        """(bond,) |r_j - r_i|, in nearest-neighbour distances."""
        return np.linalg.norm(self.vector, axis=1)

    @property
    def isotropic(self) -> Float[np.ndarray, " bond"]:
        """(bond,) J of the Heisenberg bond nearest to J_ij: the trace over 3 where E is bilinear; else
        tr(P_j P_i J_ij) / tr(P_i P_j), which around a collinear state is the half trace of the two transverse
        directions (Liechtenstein et al., J. Magn. Magn. Mater. 67, 65 (1987), doi:10.1016/0304-8853(87)90721-9)."""
        unit = np.eye(3)
        if self.bilinear:
            return np.trace(self.tensor, axis1=1, axis2=2) / 3
        across = unit - self.spins[:, :, None] * self.spins[:, None, :]
        visible = across[self.source] @ across[self.target]
        return (visible * self.tensor).sum((1, 2)) / (visible**2).sum((1, 2))

    @property
    def dmi(self) -> Float[np.ndarray, "bond 3"]:
        """(bond, 3) D_ij of the antisymmetric part, E = - D_ij . (S_i x S_j).

        Where E is not bilinear, only its component along spins that are parallel is seen.
        """
        return 0.5 * np.einsum("cab,nab->nc", LEVI_CIVITA, self.tensor)

    def by_distance(
        self,
    ) -> tuple[Float[np.ndarray, " shell"], Float[np.ndarray, " shell"], Float[np.ndarray, " shell"]]:
        """J(r): distances, mean J over all bonds of each length, and its standard deviation over these bonds::

            r, J, spread = sdgnn.exchange(field, spins).by_distance()

        The spread is 0 where symmetry makes all bonds of a length equal.
        """
        order = np.argsort(self.length, kind="stable")
        length = self.length[order]
        shell = np.cumsum(np.diff(length, prepend=length[:1]) > LENGTH_TOLERANCE)
        values, count = self.isotropic[order], np.bincount(shell)
        mean = np.bincount(shell, values) / count
        variance = np.bincount(shell, (values - mean[shell]) ** 2) / count
        return np.bincount(shell, length) / count, mean, np.sqrt(variance)

    def of_wave_vector(self, q: Float[np.ndarray, "q dim"]) -> Complex[np.ndarray, "q basis basis"]:
        """J(q)_bb' = sum_j J_ij exp(i q . (r_j - r_i)) over j on sublattice b' of the crystal, mean over i on b.

        Wave vectors (q, dim) in 1 / nearest-neighbour distance. On a Bravais lattice one real number for each q. On a
        finite lattice exact at its own wave vectors; elsewhere as exact as J_ij has fallen off at half the lattice.
        """
        basis = self.cell.sites % self.lattice.n_basis if self.lattice.is_crystal else np.arange(self.cell.count)
        kinds = len(np.unique(basis))
        pairs = basis[self.source] * kinds + basis[self.target]
        summed = self._summed(q, pairs, self.isotropic[:, None], kinds**2)
        return summed.reshape(len(q), kinds, kinds) / np.bincount(basis)[:, None]

    def strongest(self, q: Float[np.ndarray, "q dim"]) -> Float[np.ndarray, " q"]:
        """Largest eigenvalue of J(q), (q,): the order at its maximum has the lowest energy, -J(q) / 2 per spin, of all
        states that this wave vector alone can make (Luttinger and Tisza, Phys. Rev. 70, 954 (1946),
        doi:10.1103/PhysRev.70.954)."""
        return np.linalg.eigvalsh(self.of_wave_vector(q))[:, -1]

    def ordering_vectors(self) -> Float[np.ndarray, "q dim"]:
        """Wave vectors of the lattice at which the largest eigenvalue of J(q) is highest, all that are equal.

        Raises UserError on free lattices, which have no wave vectors.
        """
        q = wave_vectors(self.lattice)
        found = self.strongest(q)
        return q[found > found.max() - EQUAL * max(np.abs(found).max(), 1e-300)]

    def curvature(self, q: Float[np.ndarray, "q dim"]) -> Complex[np.ndarray, "q mode mode"]:
        """A(q), (q, 2 member, 2 member): second derivatives of E along the transverse directions of all spins,

            A_ij(q) = sum_j e_i^T (d2E/dS_i dS_j + delta_ij S_i . H_i) e_j exp(i q . (r_j - r_i)),

        with e_i the two columns of :meth:`frames`. Hermitian; positive around a minimum of the energy.
        """
        frames, count = self.frames(), self.cell.count
        local = np.einsum("nax,nab,nby->nxy", frames[self.source], self.tensor, frames[self.target])
        pairs = self.source * count + self.target
        found = -self._summed(q, pairs, local.reshape(-1, 4), count**2).reshape(len(q), count, count, 2, 2)
        along = (self.spins * self.field).sum(1) if self.bilinear else np.zeros(count)
        own = along[:, None, None] * np.eye(2) - np.einsum("nax,nab,nby->nxy", frames, self.onsite, frames)
        found[:, np.arange(count), np.arange(count)] += own
        return found.swapaxes(2, 3).reshape(len(q), 2 * count, 2 * count)

    def _summed(
        self, q: Float[np.ndarray, "q dim"], pairs: Int[np.ndarray, " bond"], values: np.ndarray, count: int
    ) -> Complex[np.ndarray, "q entry"]:
        """sum v exp(i q . r) of (bond, n) values over the bonds of each of ``count`` pairs, (q, pair n)."""
        number = values.shape[1]
        columns = (pairs[:, None] * number + np.arange(number)).ravel()
        starts = np.arange(0, values.size + 1, number)
        table = csr_matrix((values.ravel(), columns, starts), shape=(len(self), count * number))
        return (table.T @ np.exp(1j * self.vector @ q.T)).T

    def frames(self) -> Float[np.ndarray, "member 3 2"]:
        """Two unit vectors e_1, e_2 transverse to every spin, e_1 x e_2 = S, as columns."""
        least = np.eye(3)[np.abs(self.spins).argmin(1)]
        first = np.cross(least, self.spins)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        return np.stack([first, np.cross(self.spins, first)], axis=-1)


def exchange(
    field: Field, spins: Numbers, time: Time = 0.0, step: float | None = None, cutoff: float | None = None
) -> Couplings:
    """Effective exchange J_ij of ``field`` around a state: J(r), J(q), and all that linear spin waves need::

        found = sdgnn.exchange(field, sdgnn.spins.tetrahedral(lattice))
        r, J, spread = found.by_distance()
        sdgnn.interchange.write_sunny("couplings.jl", found)

    J_ij = - d2E / dS_i dS_j, by central differences of H_j along the three axes of S_i, for one site of each kind in
    the magnetic cell: 6 evaluations of the field per site of the cell, however large the lattice. Where state or field
    do not repeat, sites whose halos do not overlap share an evaluation, but for electrons, which share one mu. What
    the answer means is in :class:`Couplings`: classical exchange comes back as it is, electrons and networks have
    couplings that depend on the state.

    ========= =====================================================================================================
    field     classical terms, exact electrons, walks, networks, sums: anything with an energy
    spins     (site, 3) or one replica (1, site, 3), unit spins. J_ij needs no state at rest, spin waves do
    time      of driven fields
    step      of the differences; by default the cube root of the field's precision, 6e-6 in float64; where E is
              bilinear differences of any size are exact, and 1/2 is taken
    cutoff    leaves out bonds that are longer, and with them exact zero modes; by default all of the lattice, each
              to the nearest image (shared by equally near ones), which is what the finite lattice has
    ========= =====================================================================================================

    Raises UserError on fields without an energy, on more than one state, spins that are not of length 1 or not finite,
    a step or cutoff that is not positive.
    """
    if not field.has_energy:
        raise UserError(f"exchange of {field!r}, the slope of no energy", allowed="fields with an energy")
    for name, value in (("step", step), ("cutoff", cutoff)):
        if value is not None and not value > 0:
            raise UserError(f"{name} {value}", allowed="a positive number")
    state = check_spins(_one_state(spins), field.lattice, unit=True)
    state = state / state.norm(dim=-1, keepdim=True)
    lattice, at = field.lattice, state[0].double().cpu().numpy()
    cell = magnetic_cell(at, lattice)
    if cell.count < lattice.n_sites and not _repeats(field, state, cell, time):
        cell = whole_cell(lattice)
    bilinear = pairs_of(field) is not None
    first = field(state, time)
    size = step or (0.5 if bilinear else float(torch.finfo(first.field.dtype).eps) ** (1 / 3))
    halo = halo_of(field) if first.mu is None else None  # at fixed filling all sites share one chemical potential
    response = np.zeros((cell.count, lattice.n_sites, 3, 3))
    for member, near, column in _responses(field, state, cell.sites, size, time, halo):
        response[member, near] = column
    tensor = response.swapaxes(2, 3)  # tensor[i, j, a, b] = dH_j^b / dS_i^a is stored as J_ij^ab
    own, at_cell = np.arange(cell.count), at[cell.sites]
    local = first.field[0].double().cpu().numpy()[cell.sites]
    onsite = tensor[own, cell.sites]
    onsite = (onsite + onsite.swapaxes(1, 2)) / 2
    tensor[own, cell.sites] = 0
    if bilinear:
        external = local - np.einsum("mjab,jb->ma", tensor, at) - np.einsum("mab,mb->ma", onsite, at_cell)
        external[np.abs(external) < 1e-9 * max(1.0, np.abs(local).max())] = 0
    else:
        across = np.eye(3) - at[:, :, None] * at[:, None, :]
        along = (at_cell * local).sum(1)[:, None, None]
        tensor = across[cell.sites][:, None] @ tensor @ across
        onsite = across[cell.sites] @ (onsite - along * np.eye(3)) @ across[cell.sites]
        external = np.zeros_like(local)
    ranges = [r for r in (cutoff, halo) if r is not None]
    rest = {"spins": at_cell, "field": local, "onsite": onsite, "external": external, "bilinear": bilinear}
    return _bonds(lattice, cell, tensor, min(ranges, default=None), **rest)


def _one_state(spins: Numbers) -> Numbers:
    """A state (site, 3) as one replica. Raises UserError on several."""
    state = as_tensor(spins)
    if state.ndim == 3 and len(state) > 1:
        raise UserError(f"exchange around {len(state)} states", allowed="one state", fix="take one: spins[0]")
    return state[None] if state.ndim == 2 else state


def _repeats(field: Field, state: Tensor, cell: MagneticCell, time: Time) -> bool:
    """Whether the field of another state, carried along the magnetic cell's translations, is the field carried along.

    The other state is a noisy one, so that bonds and sites that differ are seen.
    """
    lattice = field.lattice
    noisy = textures.noisy(state, 0.3, seed=0)
    before = field(noisy, time).field
    assert lattice.vectors is not None
    for row in np.round(cell.vectors @ np.linalg.inv(lattice.vectors)).astype(int):
        sites = torch.from_numpy(lattice.translation(*row.tolist()))
        moved = torch.empty_like(noisy)
        moved[:, sites] = noisy
        found = field(moved, time).field[:, sites]
        if float((found - before).norm()) > SAME_FIELD * float(before.norm()):
            return False
    return True


def _responses(
    field: Field, state: Tensor, sites: np.ndarray, step: float, time: Time, halo: float | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(number of a source, sites near it, dH_j^b / dS_source^a (site, b, a)) by central differences.

    Sources more than two halos apart share an evaluation.
    """
    lattice = field.lattice
    everywhere = np.arange(lattice.n_sites)
    colours, near = np.arange(len(sites)), [everywhere] * len(sites)
    if halo is not None and len(sites) == lattice.n_sites and halo > 0:
        bonds = lattice.bonds_within(2 * halo + LENGTH_TOLERANCE)
        found = first_colours(np.stack([bonds.source, bonds.target], axis=1), lattice.n_sites)
        if found.max() + 1 < len(sites):
            within = np.linalg.norm(bonds.vector, axis=1) <= halo + LENGTH_TOLERANCE
            colours = found
            near = [np.unique(np.append(bonds.target[within & (bonds.source == i)], i)) for i in sites]
    moves = [(colour, axis) for colour in range(colours.max() + 1) for axis in range(3)]
    columns: dict[tuple[int, int], np.ndarray] = {}
    for start in range(0, len(moves), STATES // 2):
        some = moves[start : start + STATES // 2]
        displaced = state.repeat(2 * len(some), 1, 1)
        for k, (colour, axis) in enumerate(some):
            moved = torch.from_numpy(sites[colours == colour])
            displaced[2 * k, moved, axis] += step
            displaced[2 * k + 1, moved, axis] -= step
        vectors = field(displaced, time).field.double().cpu().numpy()
        for k, move in enumerate(some):
            columns[move] = (vectors[2 * k] - vectors[2 * k + 1]) / (2 * step)
        for colour in {colour for colour, axis in some if axis == 2}:
            whole = np.stack([columns.pop((colour, axis)) for axis in range(3)], axis=-1)
            for member in np.flatnonzero(colours == colour):
                yield int(member), near[member], whole[near[member]]


def _bonds(lattice: Lattice, cell: MagneticCell, tensor: np.ndarray, reach: float | None, **rest: Any) -> Couplings:
    """Bonds of J_ij (member, site, 3, 3), each to the nearest image of its end, or shared by equally near ones."""
    apart = lattice.positions - lattice.positions[cell.sites][:, None]
    which, vector, share = nearest_images(apart.reshape(-1, lattice.dim), lattice.cell)
    source, target = np.divmod(which, lattice.n_sites)
    length = np.linalg.norm(vector, axis=1)
    kept = (length > LENGTH_TOLERANCE) & (length <= (np.inf if reach is None else reach + LENGTH_TOLERANCE))
    source, target, vector = source[kept], target[kept], vector[kept]
    values = tensor[source, target] * share[kept, None, None]
    ends = cell.member[target]
    back = Bonds(source, ends, vector, np.zeros_like(source)).reversed
    turned = values[back].swapaxes(1, 2)
    asymmetry = float(np.abs(values - turned).max(initial=0))
    values = (values + turned) / 2
    there = np.abs(values).max((1, 2), initial=0) > NOTHING * np.abs(values).max(initial=0)
    return Couplings(lattice=lattice, cell=cell, source=source[there], target=ends[there], vector=vector[there],
                     tensor=values[there], asymmetry=asymmetry, **rest)  # fmt: skip
