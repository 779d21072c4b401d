"""A learned model bound to a lattice: a field like any other."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn.model import Model

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""


class NetworkField(Field):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a learned model on one lattice.

    Computes in ``dtype`` where the network's weights are; results have that dtype and the device of the spins.
    """

    def __init__(self, network: Model, lattice: Lattice, dtype: torch.dtype = torch.float32) -> None:
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        self._tables: dict[tuple[int, torch.device], Any] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        device = self.network.constant.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return self.network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        device = self.network.constant.device
        weights = {name: weight.detach() for name, weight in self.network.named_parameters()}
        energies, fields = [], []
        for part in spins.split(max(1, CHUNK // self.lattice.n_sites)):
            flat = part.detach().to(device=device, dtype=self.dtype).reshape(-1, 3).requires_grad_()
            with torch.enable_grad():
                site = functional_call(self.network, weights, (flat, self._tables_for(len(part), device)))
                (slope,) = torch.autograd.grad(site.sum(), flat)
            energy = site.detach().view(len(part), -1).sum(-1, dtype=torch.float64)
            energies.append(energy + self.lattice.n_sites * float(weights["constant"]))
            fields.append(-slope.view(part.shape))
        return FieldResult(
            energy=torch.cat(energies).to(device=spins.device, dtype=self.dtype),
            field=torch.cat(fields).to(spins.device),
        )

    def _tables_for(self, replicas: int, device: torch.device) -> Any:
        if (replicas, device) not in self._tables:
            self._tables[replicas, device] = self.network.tables(self.lattice, replicas, device, self.dtype)
        return self._tables[replicas, device]

    def __repr__(self) -> str:
        return f"{self.network!r}; bound to {self.lattice!r} in {str(self.dtype).removeprefix('torch.')}"
