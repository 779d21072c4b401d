"""Learned effective fields for metallic magnets: from the s-d Hamiltonian to spin dynamics on large lattices."""

import lazy_loader

from sdgnn.common.version import VERSION as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__all__ += ["__version__"]
