"""Models by the kind of their settings."""

from __future__ import annotations

from typing import assert_never

import torch

from sdgnn.lattice import Lattice
from sdgnn.nn.baselines.behler_parrinello import BehlerParrinello
from sdgnn.nn.baselines.distances import Distances
from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.baselines.two_energies import TwoEnergies
from sdgnn.nn.model import Model
from sdgnn.nn.network import Network
from sdgnn.nn.settings import (
    BehlerParrinelloSettings,
    DistancesSettings,
    EquivariantSettings,
    NetworkSettings,
    Settings,
    TwoEnergiesSettings,
)


@torch.inference_mode(False)
def create(settings: Settings, lattice: Lattice, seed: int = 0) -> Model:
    """A model of the kind that ``settings`` describe for the family of ``lattice``, initial weights from ``seed``.

    Raises UserError on lattices that this kind does not take.
    """
    match settings:
        case NetworkSettings():
            return Network(settings, lattice, seed)
        case EquivariantSettings():
            return EquivariantNetwork(settings, lattice, seed)
        case TwoEnergiesSettings():
            return TwoEnergies(settings, lattice, seed)
        case DistancesSettings():
            return Distances(settings, lattice, seed)
        case BehlerParrinelloSettings():
            return BehlerParrinello(settings, lattice, seed)
        case _:
            assert_never(settings)
