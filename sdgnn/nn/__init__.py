"""Learned energies: the network, models to compare with, settings of all kinds, model files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
