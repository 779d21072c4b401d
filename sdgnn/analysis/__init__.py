"""Analysis of spin states: order parameters, correlations, domains, statistics and plots."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
