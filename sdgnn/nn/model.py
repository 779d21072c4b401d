"""What every learned model is: settings, a lattice family, and a field on any of its lattices."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.potentials import Potentials
from sdgnn.nn.settings import ElectronsSettings, Settings
from sdgnn.nn.storage.model_file import write_model

ARGUMENTS = "electrons for models of kind network, bonds for models of kind equivariant or two-energies"
"""What :meth:`Model.on` takes besides a lattice."""


class Model(nn.Module, ABC):
    """E(S) = sum_i [e_i(S) + c], with e_i a function of the spins within :attr:`cutoff` of site i and c a constant.

    A concrete model says how e_i follows from spins; training, judging, simulating, saving and loading are the same for
    all kinds. ``lattice`` fixes the family (primitive vectors and basis), not the size.
    """

    torques_cancel: bool = True
    """Whether sum_i S_i x H_i = 0 in every state, as one rotation-invariant energy has it (networks of walks: but with
    spin-orbit coupling)."""
    cutoff: float
    """Distance around a site, in nearest-neighbour distances, of the spins on which its energy depends; the halo of the
    field is twice as wide."""
    constant: nn.Parameter
    """c, the energy per site that is added to every e_i."""

    def __init__(self, settings: Settings, lattice: Lattice) -> None:
        super().__init__()
        self.settings = settings
        self.family = lattice
        self.provenance: dict[str, Any] = {}
        self.constant = nn.Parameter(torch.zeros((), dtype=torch.float64, device="cpu"))

    @property
    def electrons(self) -> ElectronsSettings | None:
        """Electrons that the model was trained for: Hamiltonian, kT, filling or mu; None where unknown or several."""
        made = self.provenance.get("training")
        try:
            physics = (made if isinstance(made, dict) else self.provenance)["physics"]
            if "electrons" in physics:
                (physics,) = physics["electrons"]
            return ElectronsSettings(**{name: physics[name] for name in ("hamiltonian", "kT", "filling", "mu")})
        except (TypeError, KeyError, ValueError):
            return None

    @property
    def n_parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.parameters())

    @abstractmethod
    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> Field:  # fmt: skip
        """The field of this model on a lattice of its family, of any size; in blocks within ``memory`` (GB) where the
        model takes more.

            network.on(sdgnn.Lattice.triangular(96, 96))

        Networks of electrons take a Hamiltonian in place of the lattice, with ``kT`` and one of ``filling`` and ``mu``
        (:meth:`.network.Network.on`); equivariant ones take ``bonds`` and their ``strengths``
        (:meth:`.equivariant.EquivariantNetwork.on`). Raises UserError on another family, and on what a kind of model
        has no use for.
        """

    def lattice_alone(self, lattice: Lattice | SDModel, **more: object) -> Lattice:
        """The lattice. Raises UserError on a Hamiltonian, and on further arguments of :meth:`on` that are not None."""
        given = [name for name, value in more.items() if value is not None]
        if isinstance(lattice, SDModel) or given:
            what = " and ".join(given) or repr(lattice)
            raise UserError(f"{what} for {self!r}", allowed=ARGUMENTS)
        return lattice

    @abstractmethod
    def potentials(self, field: Field) -> Potentials:
        """The energies behind ``field``, this model on a lattice, and how they make it."""

    def described(self, kind: str, size: str) -> str:
        """What the ``repr`` of a model that learned from spins alone says: kind, family, size, cutoff and electrons."""
        electrons = "electrons not known" if self.electrons is None else f"learned from {self.electrons!r}"
        return (
            f"{kind} for {self.family.name} lattices: {size}, {self.n_parameters} weights; cutoff {self.cutoff:.3g}, "
            f"halo {2 * self.cutoff:.3g}; {electrons}"
        )

    def look(self, seen: Sequence[tuple[Field, Tensor]]) -> None:
        """Called before training with this model on lattices and states of each, which it may measure."""

    def save(self, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> Path:
        """Write settings, lattice family, weights and provenance to one file, whose path is returned.

        A path that does not end in ``.safetensors`` is a folder, of ``model.safetensors``. The format is that of
        :mod:`sdgnn.nn.storage.model_file`; ``provenance`` replaces :attr:`provenance` where given.
        """
        if provenance is not None:
            self.provenance = provenance
        header = {
            "settings": self.settings.model_dump(), "lattice": self.family.to_dict(), "provenance": self.provenance
        }  # fmt: skip
        return write_model(Path(path), header, self.state_dict())

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError unless ``lattice`` has the primitive vectors and basis of this model's family."""
        if not self.family.same_family(lattice):
            raise UserError(
                f"a network for {self.family.name} lattices on {lattice!r}",
                allowed=f"lattices with the primitive vectors and basis of {self.family!r}, of any size",
                fix="train a network for that lattice",
            )
