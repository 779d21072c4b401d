"""A network bound to a lattice: a field like any other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn.bond_products import Neighbours
from sdgnn.nn.layers import Tables
from sdgnn.nn.network import Network

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""


class NetworkField(Field):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a network on one lattice.

    Computes in ``dtype`` where the network's weights are; results have that dtype and the device of the spins.
    """

    def __init__(self, network: Network, lattice: Lattice, dtype: torch.dtype = torch.float32) -> None:
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        neighbour, present = network.directions.neighbours(lattice)
        self._neighbour = torch.from_numpy(neighbour)
        self._present = torch.from_numpy(present).to(dtype)
        self._tables: dict[tuple[int, torch.device], Tables] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        device = self.network.pair.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return self.network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        device = self.network.pair.device
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

    def _tables_for(self, replicas: int, device: torch.device) -> Tables:
        """Neighbour tables of ``replicas`` copies of the lattice side by side."""
        if (replicas, device) not in self._tables:
            start = torch.arange(replicas)[:, None] * self.lattice.n_sites
            directions = self.network.directions
            self._tables[replicas, device] = Tables(
                Neighbours(
                    site=(self._neighbour[:, None] + start).flatten(1).to(device),
                    present=self._present.repeat(1, replicas).to(device),
                    opposite=torch.from_numpy(directions.opposite).to(device),
                ),
                harmonics=torch.from_numpy(directions.harmonics).to(device=device, dtype=self.dtype),
            )
        return self._tables[replicas, device]

    def __repr__(self) -> str:
        return f"{self.network!r}; bound to {self.lattice!r} in {str(self.dtype).removeprefix('torch.')}"
