"""Sections that describe physics: lattice, Hamiltonian, exact solver, fields, first states, integrators."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Discriminator, Tag, model_validator
from pydantic import Field as Key

from sdgnn.config.base import Config
from sdgnn.electrons import ExactField, KPMField
from sdgnn.errors import UserError
from sdgnn.fields import Field, Sum
from sdgnn.hamiltonian import SDModel
from sdgnn.hopping import BondDisorder, ExponentialHopping
from sdgnn.lattice import Lattice
from sdgnn.schedules import ScheduleSection

Vector3 = tuple[float, float, float]
Positive = Annotated[float, Key(gt=0)]
NotNegative = Annotated[float, Key(ge=0)]
Count = Annotated[int, Key(ge=1)]


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
    seed: Annotated[int, Key(ge=0)] = 0
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
    """H = - sum_<ij> t_ij (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i)."""

    hopping: Annotated[
        Annotated[tuple[float, ...], Tag("shells")] | Annotated[ExponentialHopping, Tag("function")],
        Discriminator(lambda given: "function" if isinstance(given, dict | ExponentialHopping) else "shells"),
    ] = (1.0,)
    """t_n by neighbour shell, nearest first, for example [1.0, 0.3]; or a function of the distance, on any positions:
    {form: exponential, decay: 0.3, cutoff: 1.8}. t = 1 at distance 1 sets the unit of energy."""
    exchange: float = 3.0
    """J, the exchange between electron and local spin."""
    disorder: BondDisorder | None = None
    """Makes t_ij of each bond t_ij (1 + delta_ij), for example {width: 0.2, seed: 1}."""

    def build(self, lattice: Lattice) -> SDModel:
        """The model on ``lattice``."""
        return SDModel(lattice, hopping=self.hopping, exchange=self.exchange, disorder=self.disorder)


class KPMConfig(Config):
    """The kernel polynomial method: cost linear in the sites, with an error that moments and vectors make smaller."""

    moments: Annotated[int, Key(ge=4, multiple_of=2)] = 500
    """Terms of the Chebyshev expansion, an even number."""
    vectors: Count | None = 128
    """Probing vectors for each state; none for the full trace."""
    seed: Annotated[int, Key(ge=0)] = 0
    """Seed of their phases."""
    tolerance: Positive | None = None
    """Root mean square error of a component of the field; moments and vectors are then chosen for each state."""
    probing: Literal["coloured", "plain"] = "coloured"
    """Vectors on sites that are far apart, or on all sites."""
    precision: Literal["float64", "float32"] = "float64"
    """Precision of the recursion."""


class SolverConfig(Config):
    """How electrons are solved: their temperature, number or chemical potential; exactly, or with the section kpm."""

    kT: NotNegative = 0.05
    """Electron temperature."""
    filling: Annotated[float, Key(ge=0, le=1)] | None = None
    """N_e / (2 N_sites); give this or mu."""
    mu: float | None = None
    """Chemical potential; give this or filling."""
    twists: tuple[Count, ...] | None = None
    """Boundary phases averaged along each axis, for example [2, 2]; none for periodic."""
    kpm: KPMConfig | None = None
    """Instead of diagonalisation, the kernel polynomial method, {} with its defaults."""

    @model_validator(mode="after")
    def _one_ensemble(self) -> SolverConfig:
        if (self.filling is None) == (self.mu is None):
            raise UserError(f"filling = {self.filling} with mu = {self.mu}", allowed="exactly one of the two")
        return self

    def build(self, model: SDModel) -> ExactField | KPMField:
        """The field of ``model``."""
        if self.kpm is None:
            return ExactField(model, kT=self.kT, filling=self.filling, mu=self.mu, twists=self.twists)
        settings = self.kpm.model_dump(exclude={"precision"})
        dtype = torch.float32 if self.kpm.precision == "float32" else torch.float64
        return KPMField(model, self.kT, self.mu, self.filling, twists=self.twists, dtype=dtype, **settings)


class ExactConfig(Config):
    """The field of an s-d model."""

    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    solver: SolverConfig
    """How it is solved."""


class AnisotropyConfig(Config):
    """E = -K sum_i (S_i . n)^2."""

    strength: float
    """K; positive makes n an easy axis."""
    axis: Vector3 = (0.0, 0.0, 1.0)
    """n, normalised by the field."""


class DMIConfig(Config):
    """E = - sum_<ij> D_ij . (S_i x S_j) over nearest neighbours."""

    strength: float
    """|D_ij|."""
    kind: Literal["bloch", "neel"] = "bloch"
    """D_ij along the bond (bloch) or perpendicular to it in the plane (neel)."""


class FieldConfig(Config):
    """What drives the spins: the sum of everything given here."""

    model: str | None = None
    """A trained network: its folder, file or shipped name."""
    exact: ExactConfig | None = None
    """The field of an s-d model, by diagonalisation or by the kernel polynomial method."""
    heisenberg: tuple[float, ...] | None = None
    """Couplings J_n by neighbour shell, E = - sum_n J_n sum_<ij>_n S_i . S_j."""
    zeeman: Vector3 | None = None
    """External field h, E = - h . sum_i S_i."""
    zeeman_schedule: ScheduleSection | None = None
    """Factor s(t) of that field in time, for example {kind: sweep, high: 1, low: -1, period: 2000}."""
    anisotropy: AnisotropyConfig | None = None
    """Single-ion anisotropy."""
    dmi: DMIConfig | None = None
    """Dzyaloshinskii-Moriya interaction."""

    @model_validator(mode="after")
    def _not_empty(self) -> FieldConfig:
        if not self.model_fields_set or all(getattr(self, name) is None for name in type(self).model_fields):
            raise UserError("no field", allowed=f"at least one of {', '.join(type(self).model_fields)}")
        if self.zeeman_schedule is not None and self.zeeman is None:
            raise UserError("zeeman_schedule without zeeman", allowed="a schedule of the external field zeeman")
        return self

    def build(self, lattice: Lattice, dtype: torch.dtype = torch.float32, memory: float | None = None) -> Field:
        """The field on ``lattice``. ``dtype`` is that of a network; the others follow the spins.

        ``memory`` is what a network may take, in GB; see :class:`~sdgnn.nn.NetworkField`.
        """
        from sdgnn import fields

        parts: list[Field] = []
        if self.model is not None:
            from sdgnn.nn import load

            parts.append(load(self.model).on(lattice, dtype=dtype, memory=memory))
        if self.exact is not None:
            parts.append(self.exact.solver.build(self.exact.hamiltonian.build(lattice)))
        if self.heisenberg is not None:
            parts.append(fields.Heisenberg(lattice, couplings=self.heisenberg))
        if self.zeeman is not None:
            parts.append(fields.Zeeman(lattice, field=self.zeeman, schedule=self.zeeman_schedule))
        if self.anisotropy is not None:
            parts.append(fields.Anisotropy(lattice, strength=self.anisotropy.strength, axis=self.anisotropy.axis))
        if self.dmi is not None:
            parts.append(fields.DMI(lattice, strength=self.dmi.strength, kind=self.dmi.kind))
        return parts[0] if len(parts) == 1 else Sum(*parts)
