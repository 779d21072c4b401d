"""From scalars to energies: two numbers for each site, and what they say about it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

ENERGY_SCALE = 0.1
"""Energy per site, in units of t, that one unit of the readout stands for; sets the size of the untrained network."""


class Readout(nn.Module):
    """Two numbers per site from the time-even scalars without direction: linear and, in parallel, one hidden layer."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(channels, 2, dtype=torch.float32, device="cpu"))
        self.hidden = nn.Parameter(
            torch.randn(channels, channels, generator=generator, dtype=torch.float32, device="cpu") / channels**0.5
        )
        self.bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32, device="cpu"))
        self.out = nn.Parameter(
            torch.randn(channels, 2, generator=generator, dtype=torch.float32, device="cpu") * 0.1 / channels**0.5
        )

    def forward(self, scalars: Float[Tensor, "site channel"]) -> Float[Tensor, "site 2"]:
        """Scalars in, numbers out."""
        dtype = scalars.dtype
        hidden = nn.functional.silu(scalars @ self.hidden.to(dtype) + self.bias.to(dtype))
        return scalars @ self.linear.to(dtype) + hidden @ self.out.to(dtype)


def site_energies(numbers: Float[Tensor, "site 2"], spins: Float[Tensor, "site 3"]) -> Float[Tensor, " site"]:
    """a_i + b_i (|S_i|^2 - 1) / 2: on unit spins b gives the part of the field along the spin, -b_i S_i, and leaves
    energies and torques to a."""
    return ENERGY_SCALE * numbers[:, 0] + (spins.square().sum(-1) - 1) / 2 * numbers[:, 1]
