"""Networks whose learned part is there and differs from site to site."""

from __future__ import annotations

import torch

from sdgnn import SDModel, spins
from sdgnn.nn import Network, NetworkField, NetworkSettings

SMALL = {"cutoff": 2, "moments": 13}


def learned(model: SDModel, kT: float = 0.1, seed: int = 1, **ensemble: float) -> NetworkField:
    """A float64 network with random weights that has looked at random states and half knows them."""
    network = Network(NetworkSettings(**SMALL, hidden=4), model.lattice, seed).double()
    field = network.on(model, torch.float64, kT=kT, **(ensemble or {"filling": 0.3}))
    network.look([(field, spins.random(model.lattice, 4, seed=9))])
    randomise(network, seed)
    readout = network.readout
    assert readout is not None
    means = readout.chosen(field.electrons.local_moments(spins.random(model.lattice, 2, seed=0))).mean(1) - readout.mean
    readout.radius.copy_((means @ readout.directions.T).square().sum(-1).mean())
    return field


def randomise(network: Network, seed: int = 1) -> None:
    """Weights of a size that training could leave."""
    assert network.readout is not None
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network.constant.fill_(0.7)
        for weight, size in ((network.readout.factors, 2.0), (network.readout.outward, 0.3)):
            weight += size * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
