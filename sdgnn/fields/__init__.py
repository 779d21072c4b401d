"""Fields: the protocol that everything driving spins obeys, and the classical spin models."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
