"""Label sets: which configurations, who labels them, and how they are stored."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
