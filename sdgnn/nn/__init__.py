"""Learned energies: the network, models to compare with, settings of all kinds, model files."""

from typing import TYPE_CHECKING

from sdgnn.lazily import lazily

if TYPE_CHECKING:
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

__getattr__ = lazily(
    __name__,
    {
        "ElectronsSettings": "sdgnn.nn.settings",
        "EquivariantNetwork": "sdgnn.nn.baselines.equivariant",
        "EquivariantSettings": "sdgnn.nn.settings",
        "Model": "sdgnn.nn.model",
        "Network": "sdgnn.nn.network",
        "NetworkField": "sdgnn.nn.network",
        "NetworkSettings": "sdgnn.nn.settings",
        "Settings": "sdgnn.nn.settings",
        "SiteField": "sdgnn.nn.baselines.bound",
        "create": "sdgnn.nn.kinds",
        "load": "sdgnn.nn.storage",
    },
)
