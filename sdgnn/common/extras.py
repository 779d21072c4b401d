"""Optional dependencies: which there are, and what to install where one is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from sdgnn.common.errors import UserError

Extra = Literal["baselines", "train", "cluster", "movie", "interchange"]
MODULES: dict[Extra, tuple[str, ...]] = {
    "baselines": ("torch_geometric", "e3nn"),
    "train": ("tensorboard",),
    "cluster": ("dask", "distributed"),
    "movie": ("imageio_ffmpeg",),
    "interchange": ("dask", "h5netcdf"),
}
"""Modules that the optional dependencies of pyproject.toml bring."""

PURPOSES: dict[Extra, str] = {
    "baselines": "equivariant network and network of distances to compare with, graphs of torch-geometric",
    "train": "curves of a training as it goes, by TensorBoard",
    "cluster": "labels by several processes or machines",
    "movie": "movies",
    "interchange": "NetCDF 4",
}
"""What they are for."""


def missing(extra: Extra) -> list[str]:
    """Modules of the optional dependencies ``extra`` that are not installed."""
    return [module for module in MODULES[extra] if find_spec(module) is None]


def require(extra: Extra, purpose: str) -> None:
    """Make sure that the optional dependencies ``extra``, which ``purpose`` needs, are installed.

    Raises UserError that names what is missing and the command that installs it.
    """
    if absent := missing(extra):
        raise UserError(f"{purpose} without {', '.join(absent)}", fix=f"pip install 'sdgnn[{extra}]'")
