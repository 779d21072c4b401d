"""Label sets of many Hamiltonians, generated together into files that hold several of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdgnn.common.locking import sole_writer
from sdgnn.data import hdf5
from sdgnn.data.generate import Wanted, make_parts, open_parts
from sdgnn.data.sampling import Protocol
from sdgnn.electrons import ExactField

PARTS = "parts"
"""Folder of what is finished while others are made."""


@dataclass(frozen=True)
class Member:
    """One label set of a data set."""

    name: str
    """Its name in its file, ``007-square``."""
    file: str
    """Name of the file, ``square-training.h5``."""
    field: ExactField
    """The electrons that label it."""
    protocols: tuple[Protocol, ...]
    """Which states."""
    seed: int
    """Seed of the states."""


def generate_dataset(
    members: Sequence[Member], folder: Path, workers: int | None = None, scheduler: str | None = None,
    resume: bool = False, progress: bool = False,
) -> None:  # fmt: skip
    """Label all ``members`` and write their files into ``folder``; other arguments as of :func:`sdgnn.data.generate`.

    Labels depend neither on the number of workers nor on interruptions. Finished parts lie in ``parts`` until all files
    are written. Raises UserError as :func:`sdgnn.data.generate` does.
    """
    parts = folder / PARTS
    files = list(dict.fromkeys(member.file for member in members))
    if resume and all((folder / file).is_file() for file in files):
        shutil.rmtree(parts, ignore_errors=True)
        return
    wanted = {m.name: Wanted.of(m.field, m.protocols, m.seed, 1, f"{m.name}/") for m in members}
    with sole_writer(parts):
        open_parts(parts, {name: one.settings for name, one in wanted.items()}, resume)
        make_parts(parts, list(wanted.values()), f"labels {folder.name}", workers, 1, scheduler, progress)
        for file in files:
            sets = {m.name: wanted[m.name].joined(parts) for m in members if m.file == file}
            hdf5.write_all(sets, folder / file)
        shutil.rmtree(parts)
