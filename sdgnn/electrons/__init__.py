"""Electrons of the s-d model: exact, by the kernel polynomial method, and by local moments."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
