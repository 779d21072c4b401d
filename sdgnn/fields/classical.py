"""Classical spin models as fields: exchange by shell, distance and bond, DMI, Zeeman, single-ion anisotropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import finite
from sdgnn.common.errors import UserError
from sdgnn.fields.bond_exchange import BondExchange, antisymmetric, checked_tensors, of_unit_cell
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Schedule, Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Bonds, Lattice, sides

DMI_KINDS = ("bloch", "neel", "out-of-plane")
ALONE = np.empty((0, 2), dtype=np.int64)
"""No site interacts with another."""


class _BondSum(SiteSum):
    """Sums over bonds: a (site, z) table of neighbours with one weight vector each, short rows padded with weight 0."""

    def _tabulate(self, lattice: Lattice, bonds: Bonds, weights: np.ndarray, halo: float | None = None) -> None:
        """Make the table of ``bonds`` with ``weights`` (bond, n); the halo is the length of the longest bond."""
        count = np.bincount(bonds.source, minlength=lattice.n_sites)
        place = np.arange(len(bonds)) - np.repeat(np.cumsum(count) - count, count)
        neighbour = np.zeros((lattice.n_sites, count.max(initial=0)), dtype=np.int64)
        weight = np.zeros((*neighbour.shape, weights.shape[1]))
        neighbour[bonds.source, place] = bonds.target
        weight[bonds.source, place] = weights
        self.lattice = lattice
        self._neighbour, self._weight = torch.from_numpy(neighbour), torch.from_numpy(weight)
        self.halo = float(np.linalg.norm(bonds.vector, axis=1).max()) if halo is None else halo
        self.linear = bool((bonds.source != bonds.target).all())
        """Whether no site is bound to an image of itself."""

    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        """Both ends of every bond whose weight is not zero."""
        source, place = np.nonzero(self._weight.numpy().any(axis=2))
        return np.stack([source, self._neighbour.numpy()[source, place]], axis=1)

    def _term(self, neighbour: Float[Tensor, "replica site 3"], weight: Float[Tensor, "site n"]) -> Tensor:
        """What one neighbour of every site adds to the field: its spin times the coupling."""
        return weight * neighbour

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        field = torch.zeros_like(spins)
        neighbours, weights = self._neighbour.to(spins.device), self._weight.to(spins)
        for k in range(neighbours.shape[1]):
            field = field + self._term(spins[:, neighbours[:, k]], weights[:, k])
        return -0.5 * (spins * field).sum(2), field


@unchanging
class Heisenberg(_BondSum):
    """E = - sum_n J_n sum_<ij>_n S_i . S_j, with field H_i = sum_n J_n sum_(j in shell n of i) S_j.

    ``couplings`` holds J_n by neighbour shell, nearest first, in units of t; J > 0 is ferromagnetic. Every periodic
    image is its own bond. Crystals only. Raises UserError on couplings that are not finite numbers.
    """

    def __init__(self, lattice: Lattice, couplings: Sequence[float]) -> None:
        self.couplings = tuple(finite("coupling", value) for value in np.atleast_1d(couplings))
        if not self.couplings:
            raise UserError("no couplings", allowed="one per neighbour shell, nearest first")
        bonds = lattice.bonds(len(self.couplings))
        self._tabulate(lattice, bonds, np.array(self.couplings)[bonds.shell][:, None])

    def on(self, lattice: Lattice) -> Heisenberg:
        return Heisenberg(lattice, self.couplings)

    def __repr__(self) -> str:
        return f"Heisenberg(couplings={[float(f'{j:.6g}') for j in self.couplings]}) on {self.lattice!r}"


@unchanging
class DistanceHeisenberg(_BondSum):
    """E = - sum_<ij> J(r_ij) S_i . S_j, with field H_i = sum_j J(r_ij) S_j, on any lattice.

    J is linear between the values ``couplings`` (in units of t) at ``distances``, constant below the first of these,
    and 0 at ``cutoff`` and beyond. Every periodic image is its own bond. Raises UserError unless the distances increase
    up to the cutoff, with one finite coupling each.
    """

    def __init__(self, lattice: Lattice, distances: Sequence[float], couplings: Sequence[float], cutoff: float) -> None:
        self.distances, self.couplings = tuple(map(float, distances)), tuple(map(float, couplings))
        self.cutoff = float(cutoff)
        knots = np.array([0.0, *self.distances, self.cutoff])
        increase = bool((np.diff(knots) > 0).all()) and np.isfinite(knots).all()
        if not increase or len(self.couplings) != len(self.distances) or not np.isfinite(self.couplings).all():
            raise UserError(
                f"{len(self.couplings)} couplings at distances {list(self.distances)}, cutoff {self.cutoff:g}",
                allowed="distances that increase from above 0 to below the cutoff, one finite coupling for each",
            )
        bonds = lattice.bonds_within(self.cutoff)
        length = np.linalg.norm(bonds.vector, axis=1)
        values = np.interp(length, knots[1:], [*self.couplings, 0.0])
        self._tabulate(lattice, bonds, values[:, None], halo=self.cutoff)

    def on(self, lattice: Lattice) -> DistanceHeisenberg:
        return DistanceHeisenberg(lattice, self.distances, self.couplings, self.cutoff)

    def __repr__(self) -> str:
        return f"DistanceHeisenberg({len(self.couplings)} couplings to {self.cutoff:g}) on {self.lattice!r}"


class _TensorSum(_BondSum):
    """E = - sum_<ij> S_i . J_ij S_j with a 3 x 3 matrix for each bond, J_ji = J_ij^T; H_i = sum_j J_ij S_j."""

    def _term(self, neighbour: Float[Tensor, "replica site 3"], weight: Float[Tensor, "site n"]) -> Tensor:
        """J_ij S_j, of which ``weight`` holds the nine entries row by row."""
        matrix = weight.reshape(-1, 3, 3)
        x, y, z = neighbour.split(1, dim=2)
        return matrix[:, :, 0] * x + matrix[:, :, 1] * y + matrix[:, :, 2] * z


@unchanging
class DMI(_TensorSum):
    """Dzyaloshinskii-Moriya exchange E = - sum_<ij> D_ij . (S_i x S_j) in one shell, H_i = sum_j S_j x D_ij.

    With e_ij the unit vector from i to j, z across the plane and D the ``strength`` in units of t:

    ================ ====================== =========================================================================
    ``kind``         D_ij                   where
    ================ ====================== =========================================================================
    "bloch"          D e_ij                 bulk; helical spirals. All lattices
    "neel"           D z x e_ij             interfaces; cycloidal spirals. Chains and planes. On kagome lattices the
                                            component in the plane, inwards around every triangle
    "out-of-plane"   +D z or -D z           +D for the bond i -> j that runs counter-clockwise around the triangle of
                                            i, j and the nearest neighbour that both share, which must lie on one side:
                                            nearest neighbours on kagome, second ones on honeycomb lattices
    ================ ====================== =========================================================================

    D_ji = - D_ij throughout. With D > 0 and "out-of-plane", kagome spins turn counter-clockwise with their triangles
    (``spins.q0(lattice, chirality=1)``). Bonds are those of the neighbour ``shell``, 1 for nearest neighbours. Any
    other D_ij, bond by bond, is an :class:`Exchange`. Sources: Fert, Reyren and Cros, Nat. Rev. Mater. 2, 17031 (2017),
    doi:10.1038/natrevmats.2017.31; Elhajal, Canals and Lacroix, Phys. Rev. B 66, 014422 (2002),
    doi:10.1103/PhysRevB.66.014422.

    Raises UserError on a strength that is not finite, an unknown kind, Neel DMI in three dimensions and out-of-plane
    DMI of bonds that have no such side.
    """

    def __init__(self, lattice: Lattice, strength: float, kind: str = "bloch", shell: int = 1) -> None:
        if kind not in DMI_KINDS:
            raise UserError(f"DMI of kind {kind!r}", allowed=" or ".join(map(repr, DMI_KINDS)))
        if kind == "neel" and lattice.dim == 3:
            raise UserError("Neel DMI in three dimensions", allowed="chains and two-dimensional lattices, or 'bloch'")
        self.strength = finite("DMI strength", strength)
        self.kind, self.shell = kind, shell
        bonds = lattice.bonds(shell).of_shell(shell - 1)
        vectors = np.zeros((len(bonds), 3))
        vectors[:, : lattice.dim] = bonds.vector / np.linalg.norm(bonds.vector, axis=1, keepdims=True)
        if kind == "neel":
            vectors = np.cross([0.0, 0.0, 1.0], vectors)
        elif kind == "out-of-plane":
            vectors = np.outer(_sides(lattice, bonds, shell), [0.0, 0.0, 1.0])
        self._tabulate(lattice, bonds, antisymmetric(self.strength * vectors).reshape(-1, 9))

    def on(self, lattice: Lattice) -> DMI:
        return DMI(lattice, self.strength, self.kind, self.shell)

    def __repr__(self) -> str:
        shell = "" if self.shell == 1 else f", shell={self.shell}"
        return f"DMI(strength={self.strength:g}, kind={self.kind!r}{shell}) on {self.lattice!r}"


def _sides(lattice: Lattice, bonds: Bonds, shell: int) -> Int[np.ndarray, " bond"]:
    """:func:`sdgnn.lattice.sides`. Raises UserError where a bond has none."""
    if lattice.dim != 2 or not (found := sides(lattice, bonds)).all():
        raise UserError(
            f"out-of-plane DMI of shell {shell} on {lattice!r}",
            allowed="bonds whose ends share a nearest neighbour on one side: shell 1 of kagome, shell 2 of honeycomb",
            fix="give D_ij bond by bond: sdgnn.fields.Exchange",
        )
    return found


@unchanging
class Exchange(_TensorSum):
    """Own exchange matrices, bond by bond: E = - sum_<ij> S_i . J_ij S_j, J_ji = J_ij^T, H_i = sum_j J_ij S_j.

    On a crystal a list of the unit cell's bonds, each once, here Kitaev's exchange on a honeycomb lattice::

        K = -1.0
        field = Exchange(sdgnn.Lattice.honeycomb(6, 6), [
            BondExchange(source=0, target=1, cell=(0, -1), matrix=((K, 0, 0), (0, 0, 0), (0, 0, 0))),
            BondExchange(source=0, target=1, cell=(1, -1), matrix=((0, 0, 0), (0, K, 0), (0, 0, 0))),
            BondExchange(source=0, target=1, cell=(0, 0), matrix=((0, 0, 0), (0, 0, 0), (0, 0, K))),
        ])

    or, on any lattice, ``bonds`` (:class:`sdgnn.lattice.Bonds`, each from either end) with ``matrices`` (bond, 3, 3);
    that field is there on its own lattice alone. Heisenberg, DMI, XYZ, Kitaev and Gamma terms are all of this form;
    :class:`Heisenberg` and :class:`DMI` give theirs by shell.

    Raises UserError on no bonds, a bond given twice (from either end), one of a site with itself, sites or cells that
    the lattice lacks, and matrices that do not fit or with J_ji other than J_ij^T.
    """

    def __init__(
        self,
        lattice: Lattice,
        bonds: Sequence[BondExchange] | Bonds,
        matrices: Float[np.ndarray, "bond 3 3"] | None = None,
    ) -> None:
        if isinstance(bonds, Bonds):
            self.bonds: tuple[BondExchange, ...] | None = None
            every, tensors = bonds, checked_tensors(bonds, matrices)
        elif matrices is not None:
            raise UserError("exchange matrices beside bonds of the unit cell", allowed="matrices of a list of Bonds")
        else:
            self.bonds = tuple(bonds)
            every, tensors = of_unit_cell(lattice, self.bonds)
        order = np.argsort(every.source, kind="stable")
        arranged = Bonds(every.source[order], every.target[order], every.vector[order], every.shell[order])
        self._tabulate(lattice, arranged, tensors[order].reshape(-1, 9))

    def on(self, lattice: Lattice) -> Exchange:
        if self.bonds is None:
            if lattice is self.lattice:
                return self
            raise UserError(f"{self!r} on {lattice!r}", allowed="its own lattice, or bonds of the unit cell")
        return Exchange(lattice, self.bonds)

    def __repr__(self) -> str:
        made = "own bonds" if self.bonds is None else f"{len(self.bonds)} bonds of the unit cell"
        return f"Exchange({made}) on {self.lattice!r}"


@unchanging
class Zeeman(SiteSum):
    """E = - h . sum_i S_i, with the external field ``field`` = h (3 components, in units of t) at every site.

    With a ``schedule`` s(t) the field is s(t) h at time t, s(t) being one number or one per replica::

        Zeeman(lattice, (0, 0, 1), Sweep(high=0.5, low=-0.5, period=2000))

    """

    linear = True
    halo = 0.0

    def __init__(self, lattice: Lattice, field: Sequence[float], schedule: Schedule | None = None) -> None:
        self.lattice = lattice
        self.field = _three("external field", field)
        self.schedule = schedule

    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        return ALONE

    @property
    def driven(self) -> bool:
        return self.schedule is not None

    def vectors(self, spins: Float[Tensor, "replica site 3"], time: Time) -> Float[Tensor, "replica 1 3"]:
        """The field of each replica of ``spins``. Raises UserError on a schedule for another number of replicas."""
        constant = spins.new_tensor(self.field).expand(len(spins), 1, 3)
        if self.schedule is None:
            return constant
        if self.schedule.replicas not in (None, len(spins)):
            raise UserError(
                f"external fields of {self.schedule.replicas} replicas for {len(spins)} replicas",
                allowed="one number, or one per replica",
            )
        return constant * spins.new_tensor(self.schedule(time)).reshape(-1, 1, 1)

    def on(self, lattice: Lattice) -> Zeeman:
        return Zeeman(lattice, self.field, self.schedule)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        field = self.vectors(spins, time).expand_as(spins).clone()
        return -(spins * field).sum(2), field

    def __repr__(self) -> str:
        driven = "" if self.schedule is None else f", schedule={self.schedule!r}"
        return f"Zeeman(field={self.field}{driven}) on {self.lattice!r}"


@unchanging
class Anisotropy(SiteSum):
    """Single-ion anisotropy E = - K sum_i (S_i . n)^2, with field H_i = 2 K (S_i . n) n.

    ``strength`` K > 0 makes ``axis`` n (any length but zero; normalised) an easy axis, K < 0 a hard one.
    """

    linear = False
    halo = 0.0

    def __init__(self, lattice: Lattice, strength: float, axis: Sequence[float] = (0.0, 0.0, 1.0)) -> None:
        self.lattice = lattice
        self.strength = finite("anisotropy strength", strength)
        self._given = given = _three("anisotropy axis", axis)
        length = float(np.linalg.norm(given))
        if length == 0:
            raise UserError("an anisotropy axis of length zero", allowed="three components, not all zero")
        self.axis = tuple(component / length for component in given)

    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        return ALONE

    def on(self, lattice: Lattice) -> Anisotropy:
        return Anisotropy(lattice, self.strength, self._given)  # an axis normalised twice is another one by a rounding

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        axis = spins.new_tensor(self.axis)
        along = spins @ axis
        return -self.strength * along**2, 2 * self.strength * along[..., None] * axis

    def __repr__(self) -> str:
        return f"Anisotropy(strength={self.strength:g}, axis={self.axis}) on {self.lattice!r}"


def _three(what: str, values: Sequence[float]) -> tuple[float, float, float]:
    """Three finite components."""
    if np.shape(values) != (3,):
        raise UserError(f"{what} {values!r}", allowed="three components (x, y, z)")
    x, y, z = (finite(what, value) for value in values)
    return x, y, z
