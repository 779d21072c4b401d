"""Learned energies: the network, models to compare with, settings of all kinds, model files."""

from sdgnn.nn.baselines.bound import SiteField
from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.kinds import create
from sdgnn.nn.model import Model
from sdgnn.nn.network import Network, NetworkField
from sdgnn.nn.settings import ElectronsSettings, EquivariantSettings, NetworkSettings, Settings
from sdgnn.nn.storage import load

__all__ = [
    "ElectronsSettings",
    "EquivariantNetwork",
    "EquivariantSettings",
    "Model",
    "Network",
    "NetworkField",
    "NetworkSettings",
    "Settings",
    "SiteField",
    "create",
    "load",
]
