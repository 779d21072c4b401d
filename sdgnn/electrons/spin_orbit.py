"""Spin-orbit coupling: hopping that turns the spin of the electron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, model_validator

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, Settings
from sdgnn.lattice import Bonds, Lattice, sides

Vector3 = tuple[float, float, float]
PARALLEL = 1e-6
"""Two unit vectors closer than this are one direction."""


class DirectedVector(Settings):
    """The vector lambda_ij of all bonds i -> j in one direction; bonds in the opposite direction have its negative."""

    direction: Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]
    """Direction from i to j, of any length but zero."""
    vector: Vector3
    """lambda_ij before it is multiplied by the strength."""
    source: Annotated[int, Field(ge=0)] | None = None
    """Site i of the basis, where bonds in one direction differ by the sublattice on which they start."""


class SpinOrbit(Settings):
    """Vectors lambda_ij of one shell in H_ij = - (t_ij + i lambda_ij . sigma), where the electron hops from j to i.

    With d the unit vector from i to j, z across the plane and s the ``strength`` in units of t:

    ============== ========================== ======================================================================
    ``kind``       lambda_ij                  free electrons with t = 0, and where it is there
    ============== ========================== ======================================================================
    "rashba"       s z x d                    H_ij = i s (sigma x d)_z; square: 2 s (sigma_y sin k_x - sigma_x sin k_y).
                                              Chains and planes whose two sides differ
    "dresselhaus"  s (d_x, -d_y, 0)           square: 2 s (sigma_x sin k_x - sigma_y sin k_y). Chains and planes, [001]
    "radial"       s d                        cubic: 2 s sum_a sigma_a sin k_a. Chiral crystals. All lattices
    "kane-mele"    +s z or -s z               +s where the way from i over the common nearest neighbour to j turns left:
                                              H_ij = i s nu_ij sigma_z, with nu_ij = +1 where the electron, which goes
                                              from j to i, turns left. Second neighbours of honeycomb lattices
                                              (``shell`` 2, the default of this kind), nearest ones of kagome (1)
    "own"          s ``vector``               of the ``vectors`` given by direction; zero for other directions. Crystals
    ============== ========================== ======================================================================

    lambda_ji = - lambda_ij, and all are real: H is Hermitian and keeps time reversal. Kane and Mele write the same two
    terms, i lambda_SO nu_ij s_z and i lambda_R (s x d)_z: Phys. Rev. Lett. 95, 226801,
    doi:10.1103/PhysRevLett.95.226801. Bychkov and Rashba write alpha (sigma x k) . n, with alpha = - 2 s for small k on
    the square lattice and n = z: J. Phys. C 17, 6039, doi:10.1088/0022-3719/17/33/015. Dresselhaus: Phys. Rev. 100,
    580, doi:10.1103/PhysRev.100.580.

        SDModel(lattice, hopping=[1.0], exchange=3.0, spin_orbit=SpinOrbit(kind="rashba", strength=0.2))

    Raises UserError on unknown kinds, numbers that are not finite, and vectors with another kind than "own".
    """

    kind: Literal["rashba", "dresselhaus", "radial", "kane-mele", "own"]
    """Which vectors lambda_ij."""
    strength: float
    """s, in units of t."""
    shell: Count | None = None
    """Neighbour shell, 1 for nearest neighbours; by default 1, and 2 for kane-mele."""
    vectors: tuple[DirectedVector, ...] | None = None
    """Of kind own: vectors by the direction of the bond, for example [{direction: [1, 0], vector: [0, 1, 0]}]."""

    @model_validator(mode="after")
    def _own_has_vectors(self) -> SpinOrbit:
        if (self.kind == "own") != bool(self.vectors):
            verb = "without" if self.kind == "own" else "with"
            raise UserError(f"spin-orbit coupling of kind {self.kind} {verb} vectors", allowed="kind own with vectors")
        return self

    @property
    def neighbours(self) -> int:
        """The shell that is meant, 1 for nearest neighbours."""
        return self.shell or (2 if self.kind == "kane-mele" else 1)

    def of_bonds(self, lattice: Lattice, bonds: Bonds) -> Float[np.ndarray, "bond 3"]:
        """lambda_ij of bonds of its shell. Raises UserError where this kind has none."""
        if lattice.dim == 3 and self.kind in ("rashba", "dresselhaus"):
            raise UserError(f"spin-orbit coupling of kind {self.kind} in three dimensions",
                            allowed="chains and planes; radial or own")  # fmt: skip
        along = np.zeros((len(bonds), 3))
        along[:, : lattice.dim] = bonds.vector / np.linalg.norm(bonds.vector, axis=1, keepdims=True)
        if self.kind == "rashba":
            vectors = np.cross([0.0, 0.0, 1.0], along)
        elif self.kind == "dresselhaus":
            vectors = along * [1.0, -1.0, 0.0]
        elif self.kind == "radial":
            vectors = along
        elif self.kind == "kane-mele":
            vectors = np.outer(_turns(lattice, bonds, self.neighbours), [0.0, 0.0, 1.0])
        else:
            assert self.vectors is not None
            vectors = _by_direction(lattice, bonds, along, self.vectors)
        return self.strength * vectors

    def __str__(self) -> str:
        return f"{self.kind} {self.strength:g}" + ("" if self.shell is None else f" in shell {self.shell}")


def as_spin_orbit(
    given: SpinOrbit | Mapping[str, Any] | Sequence[Any] | None,
) -> tuple[SpinOrbit, ...]:
    """Settings of spin-orbit coupling from one or several, as such or as plain dicts; those of strength 0 are left out.

    Raises UserError on anything else.
    """
    if given is None:
        return ()
    several = (given,) if isinstance(given, SpinOrbit | Mapping) else given
    if isinstance(several, str) or not isinstance(several, Sequence):
        raise UserError(f"spin_orbit {given!r}", allowed="a SpinOrbit, or several")
    made = []
    for one in several:
        if not isinstance(one, SpinOrbit | Mapping):
            raise UserError(f"spin_orbit {one!r}", allowed="a SpinOrbit, or several")
        made.append(one if isinstance(one, SpinOrbit) else SpinOrbit(**one))
    return tuple(one for one in made if one.strength != 0)


def spin_orbit_vectors(lattice: Lattice, bonds: Bonds, terms: Sequence[SpinOrbit]) -> Float[np.ndarray, "bond 3"]:
    """lambda_ij of all ``bonds``, the sum of all terms. Raises UserError where a term has none on this lattice."""
    total = np.zeros((len(bonds), 3))
    for term in terms:
        here = bonds.shell == term.neighbours - 1
        total[here] += term.of_bonds(lattice, bonds.of_shell(term.neighbours - 1))
    return total


def _turns(lattice: Lattice, bonds: Bonds, shell: int) -> Int[np.ndarray, " bond"]:
    """+1 where the way from i over the common nearest neighbour to j turns left, so that it lies right of i -> j."""
    if lattice.dim != 2 or not (found := sides(lattice, bonds)).all():
        raise UserError(
            f"spin-orbit coupling of kind kane-mele in shell {shell} on {lattice.name} lattices",
            allowed="bonds whose ends share a nearest neighbour on one side: shell 2 of honeycomb, shell 1 of kagome",
            fix="give the vectors by direction: kind own",
        )
    return -found


def _by_direction(
    lattice: Lattice, bonds: Bonds, along: Float[np.ndarray, "bond 3"], given: Sequence[DirectedVector]
) -> Float[np.ndarray, "bond 3"]:
    """Vectors of bonds that run in the given directions, and their negatives in the opposite ones."""
    vectors, taken = np.zeros((len(bonds), 3)), np.zeros(len(bonds), dtype=bool)
    for one in given:
        direction = np.zeros(3)
        direction[: len(one.direction)] = one.direction
        length = float(np.linalg.norm(direction))
        if len(one.direction) != lattice.dim or length == 0:
            raise UserError(
                f"direction {list(one.direction)} on {lattice!r}", allowed=f"{lattice.dim} numbers, not all 0"
            )
        found = False
        for sign, start in ((1, bonds.source), (-1, bonds.target)):
            here = np.linalg.norm(along - sign * direction / length, axis=1) < PARALLEL
            if one.source is not None:
                here &= start % lattice.n_basis == one.source
            if taken[here].any():
                raise UserError(f"vectors of bonds along {list(one.direction)} given twice",
                                allowed="each bond once, from one of its ends")  # fmt: skip
            taken |= here
            vectors[here] = sign * np.array(one.vector)
            found = found or bool(here.any())
        if not found:
            raise UserError(f"no bond along {list(one.direction)} in this shell of {lattice!r}",
                            allowed="directions of the bonds of the shell")  # fmt: skip
    return vectors
