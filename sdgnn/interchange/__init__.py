"""Spin states and trajectories in the files of other programs, as movies and as interactive pages.

OVF 2.0 in and out, VTK for ParaView, numpy's .npz in and out, NetCDF, mp4, gif and HTML."""

from sdgnn.common.exports import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
