"""Sections that describe physics: lattice and Hamiltonian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Tag, model_validator
from pydantic import Field as Key

from sdgnn.cli.config.base import Config
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, Seed
from sdgnn.electrons.hopping import BondDisorder, ExponentialHopping
from sdgnn.electrons.spin_orbit import SpinOrbit
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from sdgnn.electrons.hamiltonian import SDModel


class LatticeConfig(Config):
    """A periodic lattice."""

    type: Literal["chain", "square", "triangular", "honeycomb", "kagome", "cubic", "crystal", "free", "amorphous"] = (
        "triangular"
    )
    """Family; crystal takes vectors and basis, free takes positions and cell, amorphous takes sites."""
    size: tuple[Count, ...] = ()
    """Unit cells along each primitive vector, for example [12, 12]; not for free and amorphous lattices."""
    vectors: list[list[float]] | None = None
    """Rows are the primitive vectors of a crystal."""
    basis: list[list[float]] | None = None
    """Positions in the unit cell of a crystal."""
    positions: list[list[float]] | None = None
    """Positions of the sites of a free lattice."""
    cell: list[list[float]] | None = None
    """Rows span the periodic cell of a free lattice."""
    sites: Count | None = None
    """Number of sites of an amorphous lattice."""
    dim: Literal[2, 3] = 2
    """Dimension of an amorphous lattice."""
    min_distance: Annotated[float, Key(ge=0, lt=1)] = 0.8
    """No two sites of an amorphous lattice are closer, in units of the mean distance to the nearest neighbour."""
    vacancies: tuple[int, ...] | Annotated[float, Key(ge=0, lt=1)] = ()
    """Sites taken out, or what part of all sites is, at random; the others keep their order. Where hopping is one
    number, electrons then hop to nearest neighbours alone."""
    seed: Seed = 0
    """Seed of amorphous positions and of vacancies at random."""

    @model_validator(mode="after")
    def _complete(self) -> LatticeConfig:
        kinds = {"crystal": ("size", "vectors", "basis"), "free": ("positions", "cell"), "amorphous": ("sites",)}
        needed = kinds.get(self.type, ("size",))
        for key in ("size", "vectors", "basis", "positions", "cell", "sites"):
            if bool(getattr(self, key)) != (key in needed):
                verb = "needs" if key in needed else "takes no"
                raise UserError(f"lattice of type {self.type} {verb} {key}", allowed=f"type with {', '.join(needed)}")
        for key in ("dim", "min_distance"):
            if self.type != "amorphous" and getattr(self, key) != type(self).model_fields[key].default:
                raise UserError(f"lattice of type {self.type} takes no {key}", allowed="type amorphous with it")
        axes = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}.get(self.type)
        if axes is not None and len(self.size) != axes:
            raise UserError(f"size {list(self.size)} of a {self.type} lattice", allowed=f"{axes} whole number(s)")
        return self

    @property
    def is_random(self) -> bool:
        """Whether another seed gives another lattice."""
        return self.type == "amorphous" or isinstance(self.vacancies, float)

    def build(self) -> Lattice:
        """The lattice."""
        if self.type == "crystal":
            whole = Lattice.crystal(self.vectors, self.basis, self.size)
        elif self.type == "free":
            whole = Lattice.free(self.positions, self.cell)
        elif self.type == "amorphous":
            assert self.sites is not None
            whole = Lattice.amorphous(self.sites, self.dim, self.seed, self.min_distance)
        else:
            whole = getattr(Lattice, self.type)(*self.size)
        if isinstance(self.vacancies, float):
            return whole.diluted(self.vacancies, self.seed)
        return whole.without(self.vacancies) if self.vacancies else whole


class HamiltonianConfig(Config):
    """H = - sum_<ij> [c+_i (t_ij + i lambda_ij . sigma) c_j + h.c.] - J sum_i S_i . (c+_i sigma c_i)."""

    hopping: Annotated[
        Annotated[tuple[float, ...], Tag("shells")] | Annotated[ExponentialHopping, Tag("function")],
        Discriminator(lambda given: "function" if isinstance(given, dict | ExponentialHopping) else "shells"),
    ] = (1.0,)
    """t_n by neighbour shell, nearest first, for example [1.0, 0.3]; or a function of the distance, on any positions:
    {form: exponential, decay: 0.3, cutoff: 1.8}. t = 1 at distance 1 sets the unit of energy."""
    exchange: float = 3.0
    """J, the exchange between electron and local spin."""
    disorder: BondDisorder | None = None
    """Makes hopping along each bond 1 + delta_ij times what it is, for example {width: 0.2, seed: 1}."""
    spin_orbit: tuple[SpinOrbit, ...] = ()
    """Spin-orbit coupling lambda_ij, terms that add up, for example [{kind: rashba, strength: 0.2}]."""

    def build(self, lattice: Lattice) -> SDModel:
        """The model on ``lattice``."""
        from sdgnn.electrons.hamiltonian import SDModel

        return SDModel(lattice, self.hopping, self.exchange, self.disorder, self.spin_orbit)
