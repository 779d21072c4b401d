"""Figures for reports and papers; each function returns a ``matplotlib.figure.Figure`` and touches no global state.

Save one with ``figure.savefig("name.pdf")`` (text and lines stay vectors, dense maps are pixels) or ``.png``."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
