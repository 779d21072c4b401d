"""Figures for reports and papers; each function returns a ``matplotlib.figure.Figure`` and touches no global state.

Save one with ``figure.savefig("name.pdf")`` (text and lines stay vectors, dense maps are pixels) or ``.png``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
