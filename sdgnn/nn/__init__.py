"""Learned energies: the network, models to compare with, settings of all kinds, model files."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
