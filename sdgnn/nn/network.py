"""The network: electrons that walk inside balls around each site, and a learned function of what they find."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.electrons import TruncatedField
from sdgnn.electrons.ensemble import check_ensemble
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.protocol import Total, unchanging
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.model import Model
from sdgnn.nn.potentials import Potentials
from sdgnn.nn.readout import Readout
from sdgnn.nn.settings import ElectronsSettings, NetworkSettings


class Network(Model):
    """E(S) = E_truncated(S) + sum_i [f(M(i)) + c] with f a learned function of the local moments M(i).

    E_truncated is the energy of :class:`~sdgnn.electrons.truncated.field.TruncatedField`: a graph network whose
    messages are spinors that hop along the bonds, m layers of them, with the Hamiltonian's own numbers for weights.
    They leave moments on every site, invariants of SO(3)_spin x time reversal x lattice: M_n of the two spinors are
    tr A_n +- S . B_n of a 2 x 2 matrix A_n + B_n . sigma = 0e + 1o. :class:`~sdgnn.nn.readout.Readout` makes f of them,
    and one adjoint of the walk makes the field. mu is that of the electrons, so N is exact and F is conserved.

    f vanishes before training, and for states unlike those that were trained on. With ``hidden=None`` nothing is
    learned: these are the electrons alone, for any Hamiltonian.

    ``lattice`` is the crystal whose electrons were learned, of any size; ``seed`` that of the initial weights.
    """

    settings: NetworkSettings
    cutoff: int

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice)
        self.cutoff, self.moments = settings.size
        self.readout = None
        if settings.hidden is not None:
            self.readout = Readout(TruncatedField.counts(self.moments), settings.hidden, seed)

    @property
    def electrons(self) -> ElectronsSettings | None:
        """Electrons that the network knows; None where it takes any."""
        return self.settings.electrons

    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> NetworkField:  # fmt: skip
        """The field on a lattice, of the electrons that this network knows, or of those given with a Hamiltonian.

            sdgnn.load("triangular-tetrahedral").on(sdgnn.Lattice.triangular(96, 96))
            sdgnn.load("universal").on(model, kT=0.1, filling=0.25)

        ``kT`` and one of ``filling`` and ``mu`` belong to a Hamiltonian. ``memory`` bounds fields that are evaluated
        in blocks; walks need none. For other electrons than those that were learned, the learned part is switched off.
        Raises UserError on a lattice without electrons, on electrons without kT, on crystals of another family than
        a learned part was trained for, and on ``bonds`` or ``strengths``, which are those of the Hamiltonian.
        """
        if bonds is not None or strengths is not None:
            raise UserError(f"bonds or strengths for {self!r}", allowed="a Hamiltonian, whose bonds these are")
        if isinstance(lattice, SDModel):
            if kT is None:
                raise UserError("a Hamiltonian without the electrons' kT", allowed="on(model, kT=, filling=) or mu=")
            check_ensemble(kT, mu, filling)
            electrons = ElectronsSettings(hamiltonian=lattice.to_dict(), kT=kT, filling=filling, mu=mu)
            model = lattice
        else:
            if (kT, filling, mu) != (None, None, None):
                raise UserError("kT, filling or mu beside a lattice", allowed="on(model, kT=, filling=) or on(lattice)")
            if self.settings.electrons is None:
                raise UserError(
                    f"{self!r} on {lattice!r}", allowed="a Hamiltonian with kT and filling or mu",
                    fix="on(sdgnn.SDModel(lattice, exchange=...), kT=..., filling=...)",
                )  # fmt: skip
            electrons = self.settings.electrons
            model = SDModel.from_dict(lattice, electrons.hamiltonian)
        self.check_family(model.lattice)
        walks = TruncatedField(model, electrons.kT, electrons.mu, electrons.filling, self.cutoff, self.moments)
        return NetworkField(self, walks, dtype, self.readout if self.learned_from(electrons) else None)

    def learned_from(self, electrons: ElectronsSettings) -> bool:
        """Whether the learned part belongs to these electrons, in any realisation of bond disorder; a learned part of
        several Hamiltonians belongs to all electrons without spin-orbit coupling."""
        own = self.settings.electrons
        if own is None:
            return not electrons.hamiltonian.get("spin_orbit")
        return own.without_seed() == electrons.without_seed()

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError on crystals of another family than that of a learned part."""
        if self.readout is not None and lattice.is_crystal and self.family.is_crystal:
            super().check_family(lattice)

    def potentials(self, field: Field) -> Potentials:
        """The whole energy, whose slope is the field, and the part of it that depends on the weights."""
        assert isinstance(field, NetworkField)
        readout = field.readout
        if readout is None:
            raise UserError(
                f"training {self!r} on {field.electrons!r}",
                allowed="a network with a learned part, for these electrons",
            )

        def whole(spins: Tensor) -> Tensor:
            return _Whole.apply(spins, field)

        def learned(spins: Tensor) -> Tensor:
            return readout(field.electrons.local_moments(spins.detach().to(field.dtype)))

        return Potentials((whole,), learned=(learned,))

    def look(self, seen: Sequence[tuple[Field, Tensor]]) -> None:
        if self.readout is None:
            return
        moments = []
        for field, spins in seen:
            assert isinstance(field, NetworkField)
            moments.append(field.electrons.local_moments(spins.to(field.dtype)))
        self.readout.look(moments)

    def __repr__(self) -> str:
        learned = "nothing learned" if self.readout is None else f"{self.n_parameters} weights"
        electrons = "any electrons" if self.settings.electrons is None else repr(self.settings.electrons)
        where = "any lattice" if self.readout is None else f"{self.family.name} lattices"
        return f"Network of walks (cutoff {self.cutoff}, {self.moments} moments; {learned}) for {electrons} on {where}"


@unchanging
class NetworkField(Field):
    """Energy, field and mu of a network on one lattice; computes in ``dtype``, where its weights are.

    Fields have that dtype, and all results the device of the spins. Densities are there without a learned part alone,
    whose slopes with on-site energies no label has taught: ``field.electrons(spins).density``.
    """

    readout: Readout | None
    """The learned part; None where there is none, and for electrons that it does not belong to."""

    def __init__(
        self, network: Network, electrons: TruncatedField, dtype: torch.dtype = torch.float32,
        readout: Readout | None = None,
    ) -> None:  # fmt: skip
        self.network, self.electrons, self.dtype, self.readout = network, electrons, dtype, readout
        self.lattice = electrons.lattice

    @property
    def halo(self) -> float | None:
        """Two cutoffs, on crystals; spins further away act through mu and the gate of the learned part alone."""
        return self.electrons.halo

    def on(self, lattice: Lattice) -> NetworkField:
        """Electrons and learned part on another lattice. Raises UserError on another family."""
        self.network.check_family(lattice)
        return NetworkField(self.network, self.electrons.on(lattice), self.dtype, self.readout)

    def part(self, lattice: Lattice, own: slice, total: Total) -> NetworkField:
        """The network on a part of the crystal, with the mu of the whole."""
        return NetworkField(self.network, self.electrons.part(lattice, own, total), self.dtype, self.readout)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        readout, constant, sites = self.readout, self.network.constant.detach(), self.electrons.whole_sites
        given = spins.detach().to(device=constant.device, dtype=self.dtype)
        learned = None if readout is None else partial(readout.with_slopes, total=self.electrons.summed, sites=sites)
        result = self.electrons.corrected(given, learned)
        found = {"energy": result.energy + sites * float(constant), "field": result.field, "mu": result.mu}
        if readout is None:
            found["density"] = result.density
        return FieldResult(**{name: value.to(spins.device) for name, value in found.items() if value is not None})

    def gate(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, " replica"]:
        """g: 1 for a state like those that the learned part was trained on, 0 for one where that part is off."""
        if self.readout is None:
            return torch.zeros(len(spins), dtype=torch.float32, device="cpu")
        return self.readout.gate(self.electrons.local_moments(spins.to(self.dtype)))

    def __repr__(self) -> str:
        learned = "learned part off" if self.readout is None else f"{self.network.n_parameters} weights"
        learned = "nothing learned" if self.network.readout is None else learned
        return f"NetworkField({learned}, {str(self.dtype).removeprefix('torch.')}): {self.electrons!r}"


class _Whole(torch.autograd.Function):
    """The energy of a network without its constant, shared out evenly over the sites; differentiable in spins."""

    @staticmethod
    def forward(ctx: Any, spins: Tensor, field: NetworkField) -> Tensor:
        result = field(spins)
        ctx.save_for_backward(result.field.to(spins))
        constant = float(field.network.constant.detach())
        return (result.energy / spins.shape[1] - constant).to(spins)[:, None].repeat(1, spins.shape[1])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        (field,) = ctx.saved_tensors
        return -slopes[0].mean(1)[:, None, None] * field, None
