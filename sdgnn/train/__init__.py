"""Training networks on labels, and judging any field by its torque error."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
