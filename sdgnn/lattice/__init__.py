"""Lattices: crystals and free positions, neighbours and triangles, symmetry, amorphous positions."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
