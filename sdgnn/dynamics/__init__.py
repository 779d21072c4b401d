"""Spin dynamics: integrators of the Landau-Lifshitz-Gilbert equation, observers, trajectories and runs."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
