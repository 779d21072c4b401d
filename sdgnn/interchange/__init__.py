"""Spin states and trajectories in the files of other programs, as movies and as interactive pages.

OVF 2.0 in and out, VTK for ParaView, numpy's .npz in and out, NetCDF, mp4, gif and HTML.
"""

from sdgnn.interchange.arrays import read_npz, write_netcdf, write_npz
from sdgnn.interchange.export import export
from sdgnn.interchange.initial import first_states
from sdgnn.interchange.movie import movie
from sdgnn.interchange.ovf import read_ovf, write_ovf
from sdgnn.interchange.player import Player, player
from sdgnn.interchange.states import Snapshot, as_trajectory, snapshot
from sdgnn.interchange.vtk import write_pvd, write_vtk

__all__ = [
    "Player",
    "Snapshot",
    "as_trajectory",
    "export",
    "first_states",
    "movie",
    "player",
    "read_npz",
    "read_ovf",
    "snapshot",
    "write_netcdf",
    "write_npz",
    "write_ovf",
    "write_pvd",
    "write_vtk",
]
