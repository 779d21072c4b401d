"""Electrons by local moments: walks of spinors inside balls, without training."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
