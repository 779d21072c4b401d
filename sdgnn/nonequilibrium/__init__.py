"""Fields that are no gradients of any energy: torques of electrons out of equilibrium, and others to test with."""

from sdgnn.nonequilibrium.lagging import LaggingElectrons
from sdgnn.nonequilibrium.spin_transfer import SpinTransfer
from sdgnn.nonequilibrium.terms import Alignment, DampingLike

__all__ = ["Alignment", "DampingLike", "LaggingElectrons", "SpinTransfer"]
