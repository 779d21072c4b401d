"""Label sets on disk, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, where_else
from sdgnn.data.hdf5 import names_in, read_hdf5
from sdgnn.data.labels import LabelSet
from sdgnn.data.npz import read_npz


def read_each(path: str | os.PathLike[str]) -> Iterator[LabelSet]:
    """The label sets of a file, or those of all ``.h5`` files in a folder, one after another, files by name.

        for labels in sdgnn.data.read_each("results/dataset"):
            print(labels)

    Raises UserError as :func:`read` does, and on a folder without any.
    """
    path = Path(path)
    for file in _files(path) if path.is_dir() else [path]:
        for name in _read(file, names_in, lambda path: [None]):
            yield read(file, name)


def read_all(path: str | os.PathLike[str]) -> list[LabelSet]:
    """The label sets that :func:`read_each` reads, in a list."""
    return list(read_each(path))


def read(path: str | os.PathLike[str], name: str | None = None) -> LabelSet:
    """Label set from an HDF5 file of this package or an ``.npz``; the kind is told from the content.

    Where a file holds several (:func:`write_all`), ``name`` says which; a folder is searched for that name.

    An ``.npz`` holds ``spins`` and ``field`` (state, site, 3), ``lattice`` (a name such as ``square``) and ``shape``
    (unit cells along each axis), and may hold ``density`` (state, site), ``energy``, ``mu``, ``protocol`` and
    ``step`` (state,); site ``(x * L_2 + y) * n_basis + b``. Pickled objects are refused.

    Raises UserError for a missing, damaged or unsuitable file, naming what is wrong with it.
    """
    path = Path(path)
    if name is not None and path.is_dir():
        holding = (file for file in _files(path) if name in _read(file, names_in, lambda path: [None]))
        path = next(holding, _files(path)[0])
    labels: LabelSet = _read(path, lambda path: read_hdf5(path, name), lambda path: _unnamed(path, name))
    return labels


def _files(folder: Path) -> list[Path]:
    """Label sets in a folder. Raises UserError without any."""
    if not (files := sorted(folder.glob("*.h5"))):
        raise UserError(f"folder {folder} without label sets", allowed="a folder that holds .h5 files")
    return files


def _unnamed(path: Path, name: str | None) -> LabelSet:
    if name is not None:
        raise UserError(f"name {name!r} of an .npz", allowed="no name: it holds one label set")
    return read_npz(path)


def _read(path: Path, hdf5: Callable[[Path], Any], npz: Callable[[Path], Any]) -> Any:
    """What one of both makes of a file, by its content; its mistakes are told as :func:`read` says."""
    if not path.is_file():
        raise UserError(
            f"label set {path}, which {'is a folder' if path.is_dir() else 'does not exist'}",
            allowed="an .h5 file written by `sdgnn generate` or an .npz with spins, field, lattice, shape",
            fix=where_else(path / "labels.h5" if path.is_dir() else path, "*.h5", "*.npz", "*/*.h5"),
        )
    try:
        with open(path, "rb") as stream:
            start = stream.read(4)
        if start[:2] == b"PK":
            return npz(path)
        if h5py.is_hdf5(path):
            return hdf5(path)
    except UserError as error:
        raise UserError(f"{path}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except PermissionError as error:
        raise UserError(f"{path}, which may not be read", fix="change its permissions") from error
    except PARSER_ERRORS as error:
        raise UserError(f"{path}: damaged ({error})", fix="generate or copy the file again") from error
    raise UserError(
        f"{path}: neither HDF5 nor .npz, or cut short", allowed="a label set", fix="generate or copy it again"
    )
