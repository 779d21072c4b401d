"""Fields: the protocol that everything driving spins obeys, and the classical spin models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
