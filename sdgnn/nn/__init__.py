"""Equivariant networks for local energies: settings, the network, the network bound to a lattice, model files."""

from sdgnn.nn.bound import NetworkField
from sdgnn.nn.network import Network
from sdgnn.nn.settings import NetworkSettings
from sdgnn.nn.storage import load

__all__ = ["Network", "NetworkField", "NetworkSettings", "load"]
