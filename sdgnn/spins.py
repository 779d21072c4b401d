"""Spin states on lattices: random and ordered textures, noise and rotations, each (replica, site, 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arguments import ask
from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.common.seeds import check_seed
from sdgnn.lattice import Lattice

STATE, NOISE, ROTATION = 0, 1, 2
"""Purposes of random streams: a state, its noise and its rotation drawn from one seed are independent."""

BACKGROUND = 0.5
"""Uniform magnetisation of a skyrmion crystal beside three spirals of amplitude 1: widens what lies between cores."""


def stream(seed: int, replica: int, purpose: int = STATE) -> np.random.Generator:
    """The random stream of one replica: the same numbers however many replicas are drawn."""
    key = (replica,) if purpose == STATE else (replica, purpose)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy=check_seed(seed), spawn_key=key)))


def random(
    lattice: Lattice, replicas: int = 1, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Spins independent and uniform on the sphere."""
    states = np.stack([stream(seed, r).standard_normal((lattice.n_sites, 3)) for r in range(_counted(replicas))])
    return torch.from_numpy(states / np.linalg.norm(states, axis=-1, keepdims=True)).to(dtype)


# -- orders -----------------------------------------------------------------------------------------------------


def ferro(
    lattice: Lattice,
    direction: Sequence[float] = (0.0, 0.0, 1.0),
    replicas: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "replica site 3"]:
    """All spins along ``direction`` (any length but zero). Any lattice."""
    return _batch(np.tile(_direction("direction", direction), (lattice.n_sites, 1)), replicas, dtype)


def neel(lattice: Lattice, replicas: int = 1, dtype: torch.dtype = torch.float64) -> Float[Tensor, "replica site 3"]:
    """Nearest neighbours antiparallel along z; on cubic lattices the G type of :func:`a_type`.

    Fits bipartite crystals (chain, square and cubic of even extents, honeycomb of any); others raise UserError.
    """
    bonds = lattice.bonds(1)
    sign = np.zeros(lattice.n_sites, dtype=np.int64)
    while (sign == 0).any():
        front = np.flatnonzero(sign == 0)[:1]
        sign[front] = 1
        while len(front):
            leaving = np.isin(bonds.source, front)
            reached, parent = bonds.target[leaving], bonds.source[leaving]
            new = sign[reached] == 0
            sign[reached[new]] = -sign[parent[new]]
            front = np.unique(reached[new])
    if (sign[bonds.source] == sign[bonds.target]).any():
        raise UserError(
            f"Neel order on {lattice!r}",
            allowed="bipartite lattices: chain, square and cubic of even extents, honeycomb",
        )
    return _batch(np.outer(sign, [0.0, 0.0, 1.0]), replicas, dtype)


def stripe(
    lattice: Lattice, axis: int = 0, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Collinear stripes along z: the sign of all spins in a unit cell alternates along primitive vector ``axis``.

    Fits crystals with an even number of unit cells along ``axis``; others raise UserError.
    """
    _fits(lattice, "stripes")
    _an_axis(lattice, "stripes", axis)
    _fits(lattice, "stripes", multiple=2, axes=(axis,))
    return _collinear(lattice.cells()[:, axis], replicas, dtype)


def a_type(
    lattice: Lattice, axis: int = 2, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """A-type antiferromagnet: ferromagnetic planes along z in spin space that alternate along ``axis``.

    Fits cubic lattices of even extent along the axis; others raise UserError. The G type is :func:`neel`.
    Source of the names: Wollan and Koehler, Phys. Rev. 100, 545 (1955), doi:10.1103/PhysRev.100.545.
    """
    _fits(lattice, "A-type order", ("cubic",))
    return stripe(lattice, axis, replicas, dtype)


def c_type(
    lattice: Lattice, axis: int = 2, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """C-type antiferromagnet: ferromagnetic chains along ``axis`` that alternate across it.

    Fits cubic lattices of even extents across the axis; others raise UserError. Source: see :func:`a_type`.
    """
    _fits(lattice, "C-type order", ("cubic",))
    _an_axis(lattice, "C-type order", axis)
    across = [k for k in range(3) if k != axis]
    _fits(lattice, "C-type order", multiple=2, axes=across)
    return _collinear(lattice.cells()[:, across].sum(1), replicas, dtype)


def zigzag(
    lattice: Lattice, bond: int = 0, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Zigzag order: ferromagnetic zigzag chains along z in spin space, antiparallel to the next ones.

    Every site has two parallel nearest neighbours and one antiparallel, along the ``bond`` 0, 1 or 2: the direction
    (0, 1), (sqrt(3)/2, -1/2) or (-sqrt(3)/2, -1/2) from the first sublattice. Fits honeycomb lattices of even extents
    along the second axis (0), the first (1) or both (2); others raise UserError.
    Source: Chaloupka, Jackeli and Khaliullin, Phys. Rev. Lett. 110, 097204 (2013), doi:10.1103/PhysRevLett.110.097204.
    """
    return _by_bond(lattice, "zigzag order", bond, -1 if bond == 0 else 1, replicas, dtype)


def stripy(
    lattice: Lattice, bond: int = 0, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Stripy order: every site has one parallel nearest neighbour, along ``bond``, and two antiparallel.

    Lattices, directions and source are those of :func:`zigzag`.
    """
    return _by_bond(lattice, "stripy order", bond, 1 if bond == 0 else -1, replicas, dtype)


def order120(
    lattice: Lattice, chirality: int = 1, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Coplanar 120-degree order in the xy plane: three sublattices whose spins sum to zero on every triangle.

    Fits triangular lattices with extents in multiples of 3 (sqrt(3) x sqrt(3) order) and kagome lattices of any extent,
    where :func:`q0` is meant. ``chirality`` +1 or -1 is the sense in which the spins turn. Others raise UserError.
    """
    _fits(lattice, "120-degree order", ("triangular", "kagome"))
    if lattice.name == "kagome":
        return q0(lattice, chirality, replicas, dtype)
    _fits(lattice, "120-degree order", multiple=3)
    return _in_thirds(_sign("chirality", chirality) * (lattice.cells() @ [1, -1]), replicas, dtype)


def q0(
    lattice: Lattice, chirality: int = 1, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """The q = 0 order of kagome antiferromagnets: spins in the xy plane at 120 degrees, the same in every unit cell.

    With ``chirality`` +1 spins turn counter-clockwise by 120 degrees from site to site counter-clockwise around every
    triangle, with -1 clockwise: the vector chirality (2 / 3 sqrt(3)) sum S_i x S_j over the three bonds is +1 or -1
    along z. Fits kagome lattices of any extent; others raise UserError.
    Source: Harris, Kallin and Berlinsky, Phys. Rev. B 45, 2899 (1992), doi:10.1103/PhysRevB.45.2899.
    """
    _fits(lattice, "q = 0 order", ("kagome",))
    return _in_thirds(_sign("chirality", chirality) * (np.arange(lattice.n_sites) % 3), replicas, dtype)


def sqrt3(
    lattice: Lattice, chirality: int = 1, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """The sqrt(3) x sqrt(3) order of kagome antiferromagnets: 120 degrees in the xy plane, staggered chirality.

    The vector chirality (see :func:`q0`) is ``chirality``, +1 or -1, on the triangles of the unit cells, which point
    up, and the opposite on those that point down. Fits kagome lattices with extents in multiples of 3; others raise
    UserError. Source: that of :func:`q0`.
    """
    _fits(lattice, "sqrt(3) x sqrt(3) order", ("kagome",), multiple=3)
    thirds = np.arange(lattice.n_sites) % 3 + lattice.cells() @ [-1, 1]
    return _in_thirds(_sign("chirality", chirality) * thirds, replicas, dtype)


def spiral(
    lattice: Lattice,
    turns: Sequence[int] | None = None,
    normal: Sequence[float] = (0.0, 0.0, 1.0),
    replicas: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "replica site 3"]:
    """Single-q spiral S_i = u cos(q . r_i) + v sin(q . r_i) in the plane across ``normal`` = u x v.

    ``turns`` are whole numbers of turns along each axis of the cell, q = sum_a turns_a b_a with b_a =
    ``lattice.reciprocal``; by default one along the first. With the normal along q the spiral is helical (Bloch), with
    q in its plane cycloidal (Neel). Any lattice. Raises UserError on another number of axes and a normal of length
    zero.
    """
    turns = (1,) + (0,) * (lattice.dim - 1) if turns is None else tuple(turns)
    if len(turns) != lattice.dim or not all(isinstance(n, int | np.integer) for n in turns):
        raise UserError(f"a spiral of {turns} turns on {lattice!r}", allowed=f"{lattice.dim} whole numbers")
    axis = _direction("normal", normal)
    first = np.cross(np.eye(3)[np.abs(axis).argmin()], axis)
    first /= np.linalg.norm(first)
    phase = (lattice.positions @ (np.array(turns) @ lattice.reciprocal))[:, None]
    return _batch(np.cos(phase) * first + np.sin(phase) * np.cross(axis, first), replicas, dtype)


def tetrahedral(
    lattice: Lattice, chirality: int = 1, replicas: int = 1, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "replica site 3"]:
    """Four-sublattice triple-q order: the spins of every rhombus point to the corners of a tetrahedron.

    Fits triangular lattices of even extents; others raise UserError. The scalar chirality S_i . (S_j x S_k) of every
    counter-clockwise triangle is ``chirality`` (+1 or -1) times 4 / (3 sqrt(3)) = 0.7698.
    Source: Martin and Batista, Phys. Rev. Lett. 101, 156402 (2008), doi:10.1103/PhysRevLett.101.156402.
    """
    _fits(lattice, "tetrahedral order", ("triangular",), multiple=2)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    state = corners[lattice.cells() % 2 @ [2, 1]]
    return _batch(-_sign("chirality", chirality) * state, replicas, dtype)


def skyrmion_crystal(
    lattice: Lattice,
    period: int,
    kind: str = "bloch",
    core: int = -1,
    replicas: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "replica site 3"]:
    """Triangular crystal of skyrmions, ``period`` unit cells apart, from three spirals at 120 degrees.

    S_i is the direction of -core (sum_k e_k sin(q_k . r_i), 1/2 - sum_k cos(q_k . r_i)), with |q_k| = 2 pi over the
    distance of skyrmion rows and e_k along q_k (``kind="neel"``) or z x q_k (``kind="bloch"``). ``core`` = +1 or -1 is
    S_z at the centres and the skyrmion number per skyrmion. Source: Muehlbauer et al., Science 323, 915 (2009),
    doi:10.1126/science.1166767.

    Fits lattices with hexagonal unit cells (triangular, honeycomb, kagome) whose extents are multiples of ``period``
    >= 3; others raise UserError.
    """
    if period < 3:
        raise UserError(f"skyrmions {period} unit cells apart", allowed="at least 3")
    _fits(lattice, "a skyrmion crystal", ("triangular", "honeycomb", "kagome"), multiple=period)
    if kind not in ("bloch", "neel"):
        raise UserError(f"skyrmions of kind {kind!r}", allowed="'bloch' or 'neel'")
    assert lattice.shape is not None
    first, second = lattice.reciprocal * np.array(lattice.shape)[:, None] / period
    q = np.stack([first, second, -first - second])
    along = q / np.linalg.norm(q, axis=1, keepdims=True)
    plane = along if kind == "neel" else np.stack([-along[:, 1], along[:, 0]], axis=-1)
    phase = lattice.positions @ q.T
    z = BACKGROUND - np.cos(phase).sum(1)
    return _batch(-_sign("core", core) * np.column_stack([np.sin(phase) @ plane, z]), replicas, dtype)


# -- changes ----------------------------------------------------------------------------------------------------


def noisy(spins: Numbers, strength: float, seed: int = 0) -> Float[Tensor, "replica site 3"]:
    """(S + strength g) / |S + strength g| with g standard normal in each component, from each replica's own stream."""
    spins = _states(spins)
    if not (strength >= 0 and math.isfinite(strength)):
        raise UserError(f"noise of strength {strength}", allowed="a finite number >= 0")
    noise = np.stack([stream(seed, r, NOISE).standard_normal(spins.shape[1:]) for r in range(len(spins))])
    moved = spins.to(torch.float64) + strength * torch.from_numpy(noise).to(spins.device)
    return (moved / moved.norm(dim=-1, keepdim=True)).to(spins.dtype)


def rotate(spins: Numbers, matrix: Numbers) -> Float[Tensor, "replica site 3"]:
    """All spins turned by one rotation R: S_i -> R S_i, with ``matrix`` (3, 3) or one per replica (replica, 3, 3).

    Raises UserError unless R is orthogonal with determinant +1.
    """
    spins = _states(spins)
    turn = as_tensor(matrix, "rotations").to(spins)
    if turn.shape not in ((3, 3), (len(spins), 3, 3)):
        raise UserError(f"rotation of shape {tuple(turn.shape)}", allowed=f"(3, 3) or ({len(spins)}, 3, 3)")
    tolerance = 1e-4 if spins.dtype == torch.float32 else 1e-8
    unit = torch.eye(3, dtype=spins.dtype, device=spins.device).expand_as(turn)
    if not torch.allclose(turn @ turn.mT, unit, atol=tolerance) or not bool((torch.linalg.det(turn) > 0).all()):
        raise UserError("a matrix that is no rotation", allowed="orthogonal, determinant +1")
    return spins @ turn.mT


def rotate_randomly(spins: Numbers, seed: int = 0) -> Float[Tensor, "replica site 3"]:
    """Each replica turned as a whole by its own rotation, uniform on SO(3)."""
    spins = _states(spins)
    turns = np.stack([_uniform_rotation(stream(seed, r, ROTATION)) for r in range(len(spins))])
    return rotate(spins, torch.from_numpy(turns))


# -- helpers ----------------------------------------------------------------------------------------------------


def _states(spins: Numbers) -> Float[Tensor, "replica site 3"]:
    """Spins of one state or more as a tensor. Raises UserError."""
    states = as_tensor(spins)
    if states.ndim != 3 or states.shape[2] != 3 or len(states) == 0:
        raise UserError(f"spins of shape {tuple(states.shape)}", allowed="(replica, site, 3), at least one replica")
    return states


def _uniform_rotation(generator: np.random.Generator) -> np.ndarray:
    """Rotation (3, 3) of a unit quaternion uniform on the 3-sphere."""
    w, x, y, z = (q := generator.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _collinear(parity: np.ndarray, replicas: int, dtype: torch.dtype) -> Tensor:
    """Spins along +z where ``parity`` (site,) is even and along -z where it is odd."""
    return _batch(np.outer(1 - 2 * (parity % 2), [0.0, 0.0, 1.0]), replicas, dtype)


def _in_thirds(thirds: np.ndarray, replicas: int, dtype: torch.dtype) -> Tensor:
    """Spins in the xy plane at ``thirds`` (site,) of a full turn from x."""
    angle = (thirds % 3) * 2 * math.pi / 3
    return _batch(np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1), replicas, dtype)


def _by_bond(lattice: Lattice, what: str, bond: int, second: int, replicas: int, dtype: torch.dtype) -> Tensor:
    """Collinear states of a honeycomb lattice at one of its three M points, the second sublattice ``second`` times the
    first one in every unit cell."""
    _fits(lattice, what, ("honeycomb",))
    if bond not in (0, 1, 2):
        raise UserError(f"{what} along bond {bond}", allowed="0, 1 or 2")
    axes = ((1,), (0,), (0, 1))[bond]
    _fits(lattice, what, multiple=2, axes=axes)
    parity = lattice.cells()[:, axes].sum(1) + (np.arange(lattice.n_sites) % 2) * (second < 0)
    return _collinear(parity, replicas, dtype)


def _direction(what: str, given: Sequence[float]) -> np.ndarray:
    """A unit vector along ``given``. Raises UserError unless of three finite components, not all zero."""
    axis = np.array(given, dtype=np.float64)
    if axis.shape != (3,) or not 0 < np.linalg.norm(axis) < math.inf:
        raise UserError(f"{what} {given}", allowed="three finite components, not all zero")
    return axis / np.linalg.norm(axis)


def _an_axis(lattice: Lattice, what: str, axis: int) -> None:
    """UserError unless ``axis`` is one of the lattice's."""
    if not 0 <= axis < lattice.dim:
        raise UserError(f"{what} along axis {axis}", allowed=f"0 to {lattice.dim - 1}")


def _batch(state: np.ndarray, replicas: int, dtype: torch.dtype) -> Tensor:
    """``replicas`` copies of one state (site, 3), normalised."""
    unit = torch.from_numpy(state / np.linalg.norm(state, axis=-1, keepdims=True))
    return unit.to(dtype).repeat(_counted(replicas), 1, 1)


def _counted(replicas: int) -> int:
    if replicas < 1:
        raise UserError(f"{replicas} replicas", allowed="at least 1")
    return replicas


def _fits(
    lattice: Lattice, what: str, names: tuple[str, ...] = (), multiple: int = 1, axes: Sequence[int] = (0, 1, 2)
) -> None:
    """UserError unless a lattice is a crystal, of one of ``names``, whose extents along ``axes`` are such multiples."""
    if lattice.shape is None:
        raise UserError(f"{what} on a free lattice", allowed="crystals")
    if names and lattice.name not in names:
        raise UserError(f"{what} on {lattice!r}", allowed=f"{' or '.join(names)} lattices")
    if any(cells % multiple for axis, cells in enumerate(lattice.shape) if axis in axes):
        raise UserError(f"{what} on {lattice!r}", allowed=f"extents that are multiples of {multiple}")


def _sign(what: str, value: int) -> int:
    if value not in (1, -1):
        raise UserError(f"{what} {value}", allowed="+1 or -1")
    return value


ask(__name__)
