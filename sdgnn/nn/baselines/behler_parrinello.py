"""The model this package replaces: invariants of a site's neighbourhood into a dense network (Behler-Parrinello)."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.common.seeds import torch_generator
from sdgnn.lattice import Lattice
from sdgnn.nn.baselines.descriptor import Descriptor
from sdgnn.nn.baselines.layers import normal, site_energies, zeros
from sdgnn.nn.baselines.neighbourhood import Neighbourhood
from sdgnn.nn.baselines.site_model import SiteModel
from sdgnn.nn.settings import BehlerParrinelloSettings


class BehlerParrinello(SiteModel):
    """e_i = a dense network of the invariants of the spins within ``shells`` neighbour shells of site i.

    The invariants are those of :mod:`sdgnn.nn.baselines.descriptor`; the network has two outputs, see
    :func:`~sdgnn.nn.baselines.layers.site_energies`.

    ``lattice`` fixes the family (a crystal whose sites are all equivalent by symmetry), ``seed`` the initial weights.
    Sources: Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007), doi:10.1103/PhysRevLett.98.146401; for spins,
    Zhang and Chern, Phys. Rev. Lett. 127, 146401 (2021), doi:10.1103/PhysRevLett.127.146401, and Chern et al., AIP
    Advances 16, 025031 (2026), doi:10.1063/9.0001056.
    """

    settings: BehlerParrinelloSettings

    def __init__(self, settings: BehlerParrinelloSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice)
        wanted = (settings.shells, settings.pair_shells, settings.chirality_shells)
        self.cutoff, pairs, sides = (float(lattice.shell_distances(n)[-1]) if n else 0.0 for n in wanted)
        self._around = Neighbourhood.of(lattice, self.cutoff)
        self.descriptor = Descriptor(self._around, pairs, sides)
        generator = torch_generator(seed)
        widths = [len(self.descriptor), *settings.hidden]
        self.linear = zeros(widths[0], 2)
        self.hidden = nn.ParameterList(
            normal(generator, before, after) / before**0.5 for before, after in pairwise(widths)
        )
        self.bias = nn.ParameterList(map(zeros, settings.hidden))
        self.out = nn.Parameter(0.1 * normal(generator, widths[-1], 2) / widths[-1] ** 0.5)

    def tables(
        self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype
    ) -> Int[Tensor, "site member"]:
        """Members of every site's neighbourhood."""
        sites = torch.from_numpy(self._around.sites(lattice))
        start = torch.arange(replicas, device="cpu")[:, None, None] * lattice.n_sites
        return (sites + start).flatten(0, 1).to(device)

    def forward(self, spins: Float[Tensor, "site 3"], tables: Int[Tensor, "site member"]) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""
        features = self.descriptor(spins[tables])
        hidden = features
        for weight, bias in zip(self.hidden, self.bias, strict=True):
            hidden = nn.functional.silu(hidden @ weight.to(spins.dtype) + bias.to(spins.dtype))
        return site_energies(features @ self.linear.to(spins.dtype) + hidden @ self.out.to(spins.dtype), spins)

    def __repr__(self) -> str:
        return self.described(
            "Behler-Parrinello model", f"{len(self._around)} spins, {len(self.descriptor)} invariants"
        )
