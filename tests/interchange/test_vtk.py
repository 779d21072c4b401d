"""Files for ParaView, read back by VTK itself."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from helpers.lattices import CRYSTALS, EVERY

import sdgnn
from sdgnn import Lattice
from sdgnn.common.errors import UserError
from sdgnn.interchange import Snapshot, as_trajectory, write_pvd, write_vtk

MISSING = "pip install -e '.[interchange]'"
ORTHOGONAL = [CRYSTALS[k] for k in (0, 1, 5, 7)]


def state(lattice: Lattice, time: float | None = 2.5) -> Snapshot:
    return Snapshot(sdgnn.spins.random(lattice, seed=3)[0].numpy(), lattice, time)


def read_by_vtk(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Positions, vectors and time that VTK sees."""
    io = pytest.importorskip("vtkmodules.vtkIOXML", reason=MISSING)
    from vtkmodules.util.numpy_support import vtk_to_numpy

    reader = {".vti": io.vtkXMLImageDataReader, ".vtp": io.vtkXMLPolyDataReader}[path.suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    points = np.array([data.GetPoint(k) for k in range(data.GetNumberOfPoints())])
    vectors = data.GetPointData().GetVectors()
    assert vectors.GetName() == "spins"
    if path.suffix == ".vtp":
        assert data.GetNumberOfVerts() == len(points)
    time = data.GetFieldData().GetArray("TimeValue")
    return points, vtk_to_numpy(vectors), float("nan") if time is None else time.GetValue(0)


@pytest.mark.parametrize(
    ("lattice", "suffix"), [(x, ".vtp") for x in EVERY] + [(x, ".vti") for x in ORTHOGONAL], ids=lambda x: str(x)[:20]
)
def test_vtk_sees_every_spin_at_its_site(lattice: Lattice, suffix: str, tmp_path: Path) -> None:
    written = state(lattice)
    write_vtk(written, tmp_path / f"s{suffix}")
    points, vectors, time = read_by_vtk(tmp_path / f"s{suffix}")
    assert len(points) == lattice.n_sites and time == 2.5
    sites = [int(np.linalg.norm(lattice.positions - p[: lattice.dim], axis=1).argmin()) for p in points]
    assert np.allclose(lattice.positions[sites], points[:, : lattice.dim], atol=1e-12)
    assert not points[:, lattice.dim :].any() and len(set(sites)) == lattice.n_sites
    assert np.array_equal(vectors, written.spins[sites])


def test_single_precision_stays(tmp_path: Path) -> None:
    lattice = Lattice.square(3, 2)
    spins = state(lattice).spins.astype(np.float32)
    write_vtk(Snapshot(spins, lattice), tmp_path / "s.vtp")
    _, vectors, time = read_by_vtk(tmp_path / "s.vtp")
    assert vectors.dtype == np.float32 and np.array_equal(vectors, spins) and np.isnan(time)


@pytest.mark.parametrize(("lattice", "suffix"), [(Lattice.triangular(3, 3), ".vtp"), (Lattice.cubic(2, 2, 3), ".vti")])
def test_a_collection_names_its_files_and_times(lattice: Lattice, suffix: str, tmp_path: Path) -> None:
    spins = np.stack([sdgnn.spins.random(lattice, 2, seed=k).numpy() for k in range(5)])
    times, done = [0.0, 0.5, 1.5, 4.0, 7.25], []
    write_pvd(as_trajectory(spins, lattice, times), tmp_path / "run.pvd", every=2, replica=1, progress=done.append)
    found = ET.parse(tmp_path / "run.pvd").getroot().findall("Collection/DataSet")
    assert [float(entry.get("timestep")) for entry in found] == [0.0, 1.5, 7.25] and done == [1, 2, 3]
    for k, entry in zip((0, 2, 4), found, strict=True):
        path = tmp_path / entry.get("file")
        assert path.suffix == suffix
        points, vectors, time = read_by_vtk(path)
        assert time == times[k]
        sites = [int(np.linalg.norm(lattice.positions - p[: lattice.dim], axis=1).argmin()) for p in points]
        assert np.array_equal(vectors, spins[k, 1][sites])
    assert len(list((tmp_path / "run").iterdir())) == 3
    with pytest.raises(UserError, match="already holds something"):
        write_pvd(as_trajectory(spins, lattice), tmp_path / "run.pvd")


def test_pyvista_reads_the_collection(tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista", reason=MISSING)
    lattice = Lattice.square(3, 2)
    spins = np.stack([sdgnn.spins.random(lattice, seed=k).numpy() for k in range(3)])
    write_pvd(as_trajectory(spins, lattice, [0, 1, 3]), tmp_path / "run.pvd")
    reader = pyvista.get_reader(str(tmp_path / "run.pvd"))
    assert reader.time_values == [0, 1, 3]
    reader.set_active_time_value(3)
    assert {tuple(v) for v in reader.read()[0]["spins"]} == {tuple(v) for v in spins[2, 0]}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"as an image.*take \.vtp"):
        write_vtk(state(Lattice.triangular(2, 2)), tmp_path / "s.vti")
    with pytest.raises(UserError, match=r"allowed: \.vti or \.vtp"):
        write_vtk(state(Lattice.triangular(2, 2)), tmp_path / "s.vtk")
    with pytest.raises(UserError, match=r"allowed: \.pvd"):
        write_pvd(as_trajectory(state(Lattice.square(2, 2)).spins, Lattice.square(2, 2)), tmp_path / "s.vti")
    assert not list(tmp_path.iterdir())
