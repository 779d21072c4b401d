"""Spin states and trajectories in the files of other programs, as movies and as interactive pages.

OVF 2.0 in and out, VTK for ParaView, numpy's .npz in and out, NetCDF, mp4, gif and HTML."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
