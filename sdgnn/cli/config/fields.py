"""What drives the spins: a network, electrons, classical terms, and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.electrons import ModelElectrons
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count
from sdgnn.electrons.hopping import BondDisorder
from sdgnn.fields.bond_exchange import BondExchange
from sdgnn.fields.schedules import ScheduleSection
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import torch

    from sdgnn.fields import Field

Vector3 = tuple[float, float, float]


class AnisotropyConfig(Config):
    """E = -K sum_i (S_i . n)^2."""

    strength: float
    """K; positive makes n an easy axis."""
    axis: Vector3 = (0.0, 0.0, 1.0)
    """n, normalised by the field."""


class DMIConfig(Config):
    """E = - sum_<ij> D_ij . (S_i x S_j) over one neighbour shell."""

    strength: float
    """|D_ij|."""
    kind: Literal["bloch", "neel", "out-of-plane"] = "bloch"
    """D_ij along the bond (bloch), perpendicular to it in the plane (neel), or +-D z, +D around each triangle
    counter-clockwise (out-of-plane; kagome, and shell 2 of honeycomb lattices)."""
    shell: Count = 1
    """Neighbour shell, 1 for nearest neighbours."""


class FieldConfig(Config):
    """What drives the spins: the sum of everything given here."""

    model: str | None = None
    """A trained network: its folder, file or shipped name."""
    disorder: BondDisorder | None = None
    """Bond disorder of that network's Hamiltonian, for example {width: 0.2, seed: 1}, in place of what it learned from.
    """
    electrons: ModelElectrons | None = None
    """The field of an s-d model's electrons, by any solver."""
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
    exchange: tuple[BondExchange, ...] | None = None
    """Own exchange of the unit cell's bonds, each once, for example
    [{source: 0, target: 1, cell: [0, 0], J: -1, D: [0, 0, 0.1]}]."""

    @model_validator(mode="after")
    def _not_empty(self) -> FieldConfig:
        if not self.model_fields_set or all(getattr(self, name) is None for name in type(self).model_fields):
            raise UserError("no field", allowed=f"at least one of {', '.join(type(self).model_fields)}")
        if self.zeeman_schedule is not None and self.zeeman is None:
            raise UserError("zeeman_schedule without zeeman", allowed="a schedule of the external field zeeman")
        if self.disorder is not None and self.model is None:
            raise UserError("disorder without model", allowed="that of a model; else electrons.hamiltonian.disorder")
        return self

    def build(
        self,
        lattice: Lattice,
        dtype: torch.dtype | None = None,
        memory: float | None = None,
        device: str = "cpu",
    ) -> Field:
        """The field on ``lattice``. ``dtype``, float32 by default, and ``device`` are those of a network.

        ``memory`` is what a network may take, in GB; see :class:`~sdgnn.nn.SiteField`.
        """
        from sdgnn import fields

        parts: list[Field] = []
        if self.model is not None:
            parts.append(self._network(self.model, lattice, dtype, memory, device))
        if self.electrons is not None:
            parts.append(self.electrons.on(lattice))
        if self.heisenberg is not None:
            parts.append(fields.Heisenberg(lattice, couplings=self.heisenberg))
        if self.zeeman is not None:
            parts.append(fields.Zeeman(lattice, field=self.zeeman, schedule=self.zeeman_schedule))
        if self.anisotropy is not None:
            parts.append(fields.Anisotropy(lattice, strength=self.anisotropy.strength, axis=self.anisotropy.axis))
        if self.dmi is not None:
            parts.append(fields.DMI(lattice, self.dmi.strength, self.dmi.kind, self.dmi.shell))
        if self.exchange is not None:
            parts.append(fields.Exchange(lattice, self.exchange))
        return parts[0] if len(parts) == 1 else fields.Sum(*parts)

    def _network(
        self, name: str, lattice: Lattice, dtype: torch.dtype | None, memory: float | None, device: str
    ) -> Field:  # fmt: skip
        """The field of a trained network, in its own Hamiltonian or in that with ``disorder``."""
        import torch

        from sdgnn.electrons.hamiltonian import SDModel
        from sdgnn.nn import Network, load

        dtype = torch.float32 if dtype is None else dtype
        network = load(name).to(device)
        if self.disorder is None:
            return network.on(lattice, dtype=dtype, memory=memory)
        own = network.settings.electrons if isinstance(network, Network) else None
        if own is None or not isinstance(network, Network):
            raise UserError(f"disorder of {network!r}", allowed="models of kind network that know their electrons")
        model = SDModel.from_dict(lattice, {**own.hamiltonian, "disorder": self.disorder.model_dump()})
        return network.on(model, dtype, kT=own.kT, filling=own.filling, mu=own.mu)
