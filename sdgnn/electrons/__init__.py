"""Electrons of the s-d model: exact, by the kernel polynomial method, and by local moments."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
