"""Learned local energies: settings, models of several kinds, a model bound to a lattice, model files."""

from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.bound import NetworkField
from sdgnn.nn.kinds import create
from sdgnn.nn.model import Model
from sdgnn.nn.settings import EquivariantSettings, Settings
from sdgnn.nn.storage import load

__all__ = ["EquivariantNetwork", "EquivariantSettings", "Model", "NetworkField", "Settings", "create", "load"]
