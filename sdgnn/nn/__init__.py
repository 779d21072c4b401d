"""Learned local energies: settings, models of several kinds, a model bound to a lattice, model files."""

from sdgnn.nn.bound import NetworkField
from sdgnn.nn.kinds import create
from sdgnn.nn.model import Model
from sdgnn.nn.network import Network
from sdgnn.nn.settings import NetworkSettings, Settings
from sdgnn.nn.storage import load

__all__ = ["Model", "Network", "NetworkField", "NetworkSettings", "Settings", "create", "load"]
