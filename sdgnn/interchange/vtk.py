"""Files for ParaView and VTK: spins as vectors on an image or on points, and collections through time.

The format is VTK's XML (https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html), its numbers inline in
base64, little endian.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path
from sdgnn.common.progress import counted
from sdgnn.interchange.mesh import is_orthogonal, mesh_of, on_mesh
from sdgnn.interchange.states import Frames, Snapshot
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

TYPES = {"f4": "Float32", "f8": "Float64", "i8": "Int64"}
"""VTK's names of numpy's types."""


def write_vtk(state: Snapshot, path: str | os.PathLike[str]) -> None:
    """Write one state for ParaView, its time with it.

    ``.vti``: an image, the sites being its points; for chain, square, cubic and other crystals whose sites are the
    centres of equal boxes (:func:`~sdgnn.interchange.mesh.is_orthogonal`). ``.vtp``: points at the sites, for any
    lattice. In both, ``spins`` are the vectors of the points. Raises UserError on another suffix, on a lattice that is
    no image, and when the file cannot be written.
    """
    suffix = Path(path).suffix
    if suffix not in (".vti", ".vtp"):
        raise UserError(f"{path} for one state", allowed=".vti or .vtp")
    if suffix == ".vti" and not is_orthogonal(state.lattice):
        raise UserError(f"{state.lattice!r} as an image, {path}", allowed="square, cubic and the like", fix="take .vtp")
    _write(_image(state) if suffix == ".vti" else _points(state), path)


def write_pvd(
    trajectory: xarray.Dataset,
    path: str | os.PathLike[str],
    every: int = 1,
    replica: int = 0,
    lattice: Lattice | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a trajectory for ParaView: ``NAME.pvd`` with the times, and a file for each in the folder ``NAME``.

    The files are ``.vti`` where the lattice allows it, else ``.vtp``. ``every``, ``replica`` and ``lattice`` as in
    :meth:`~sdgnn.interchange.states.Frames.of`; ``progress`` is told how many times are done. Raises UserError on
    another suffix, when the folder already holds something, and when files cannot be written; the collection itself
    comes last, so that what it names is there.
    """
    path = Path(path)
    folder = path.with_suffix("")
    frames = Frames.of(trajectory, every, replica, lattice)
    if path.suffix != ".pvd":
        raise UserError(f"{path} for a trajectory", allowed=".pvd")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} already holds something", fix="remove it or choose another name")
    suffix = ".vti" if is_orthogonal(frames.lattice) else ".vtp"
    collection = Element("Collection")
    for k, state in enumerate(counted(frames, progress)):
        name = f"{k:06d}{suffix}"
        write_vtk(state, folder / name)
        SubElement(collection, "DataSet", timestep=repr(state.time), part="0", file=f"{folder.name}/{name}")
    _write(collection, path)


def _image(state: Snapshot) -> Element:
    mesh = mesh_of(state.lattice)
    extent = " ".join(f"0 {n - 1}" for n in mesh.nodes)
    data = Element(
        "ImageData", WholeExtent=extent, Origin=" ".join(map(repr, mesh.base)), Spacing=" ".join(map(repr, mesh.step))
    )
    _time(data, state)
    _spins(SubElement(data, "Piece", Extent=extent), on_mesh(state.spins, state.lattice))
    return data


def _points(state: Snapshot) -> Element:
    count = state.lattice.n_sites
    data = Element("PolyData")
    _time(data, state)
    piece = SubElement(data, "Piece", NumberOfPoints=str(count), NumberOfVerts=str(count))
    _spins(piece, state.spins)
    _array(SubElement(piece, "Points"), "Points", np.pad(state.lattice.positions, ((0, 0), (0, 3 - state.lattice.dim))))
    vertices = SubElement(piece, "Verts")
    _array(vertices, "connectivity", np.arange(count))
    _array(vertices, "offsets", np.arange(1, count + 1))
    return data


def _time(data: Element, state: Snapshot) -> None:
    if state.time is not None:
        _array(SubElement(data, "FieldData"), "TimeValue", np.array([state.time]), NumberOfTuples="1")


def _spins(piece: Element, spins: np.ndarray) -> None:
    _array(SubElement(piece, "PointData", Vectors="spins"), "spins", spins)


def _array(parent: Element, name: str, values: np.ndarray, **attributes: str) -> None:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    if values.ndim == 2:
        attributes["NumberOfComponents"] = str(values.shape[1])
    attributes |= {"type": TYPES[little.dtype.str[1:]], "Name": name, "format": "binary"}
    array = SubElement(parent, "DataArray", attributes)
    array.text = base64.b64encode(np.array(little.nbytes, "<u8").tobytes() + little.tobytes()).decode("ascii")


def _write(data: Element, path: str | os.PathLike[str]) -> None:
    root = Element("VTKFile", type=data.tag, version="1.0", byte_order="LittleEndian", header_type="UInt64")
    root.append(data)
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
