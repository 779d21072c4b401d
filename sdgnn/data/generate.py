"""Generation of label sets: protocols choose the states, a solver labels them, on one process or many machines.

Work is cut into parts of a few samples. Each part is a small label set in the folder ``<name>.parts``, complete or
absent, so a run that was killed keeps every part it finished and goes on with the others; at the end the parts are
joined into one file and the folder is removed. States, seeds and labels do not depend on the number of workers or on
interruptions: every sample has its own seed, is labelled by itself, and with the same number of threads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.common.files import plain, read_json, write_json
from sdgnn.common.locking import sole_writer
from sdgnn.common.progress import progress_bar
from sdgnn.common.provenance import commit, now
from sdgnn.common.seeds import LARGEST, check_seed
from sdgnn.common.version import VERSION
from sdgnn.data import hdf5, store
from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.sampling import Protocol, sample_seed
from sdgnn.data.solvers import describe
from sdgnn.data.tasks import Task
from sdgnn.data.workers import run_tasks
from sdgnn.fields import Field
from sdgnn.lattice import Lattice

SITES_PER_PART = 1024
"""A part holds as many samples as have about this many sites together, at least one."""


def generate(
    field: Field,
    protocols: Sequence[Protocol],
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    workers: int | None = None,
    threads: int = 1,
    scheduler: str | None = None,
    resume: bool = False,
    progress: bool = False,
) -> LabelSet:
    """Label the states of ``protocols`` with ``field``, of electrons by any solver, and store them in ``path`` (.h5).

    ========== ==================================================================================================
    argument   meaning
    ========== ==================================================================================================
    seed       seed of the set; each sample's seed follows from it, the protocol's place in the list and its own
    workers    processes on this machine; 0 labels in this process, None uses all cores when that pays
    threads    threads of linear algebra in each process; the last bits of labels may depend on it
    scheduler  address of a running dask scheduler (``tcp://...``) whose workers label instead
    resume     go on with an interrupted generation (or return the finished set) of the same settings
    progress   show a bar with the time left
    ========== ==================================================================================================

    Returns the set, in the order of the protocols. Energies, fields and spins are float64. A script may be killed at
    any moment: call again with ``resume=True``.

    Raises UserError when ``path`` or its parts exist and ``resume`` is not set, when they were made with other settings
    (naming the difference), when the field cannot label, when a protocol does not fit the lattice, and when the disk is
    full or another process writes there; finished parts are kept.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise UserError(f"label set name {path.name!r}", allowed="a name that ends in .h5")
    if threads < 1 or (workers is not None and workers < 0):
        raise UserError(f"workers {workers} with threads {threads}", allowed="workers >= 0 and threads >= 1")
    wanted = Wanted.of(field, protocols, seed, threads)
    settings = wanted.settings
    folder = path.with_name(f"{path.stem}.parts")
    if path.exists():
        return _finished(path, folder, settings, resume)
    with sole_writer(folder):
        open_parts(folder, settings, resume)
        make_parts(folder, [wanted], f"labels {path.name}", workers, threads, scheduler, progress)
        labels = wanted.joined(folder)
        hdf5.write(labels, path)
        shutil.rmtree(folder)
    return labels


@dataclass(frozen=True)
class Wanted:
    """A label set that is to be made, as the parts that it is made of."""

    lattice: Lattice
    """Where the states live."""
    origin: Origin
    """Physics, protocols and seed of the set, and who makes it."""
    tasks: tuple[Task, ...]
    """Its parts in the order of its states."""

    @classmethod
    def of(cls, field: Field, protocols: Sequence[Protocol], seed: int, threads: int, name: str = "") -> Wanted:
        """The set that ``field`` labels; names of parts begin with ``name``. Raises UserError as :func:`generate`."""
        if not protocols:
            raise UserError("no protocols", allowed="at least one, for example Random(states=100)")
        for protocol in protocols:
            protocol.check(field.lattice)
        origin = replace(
            describe(field),
            protocols=tuple(plain(protocol.to_dict()) for protocol in protocols),
            seed=check_seed(seed, LARGEST),
            version=VERSION,
            commit=commit(),
            created=now(),
        )
        return cls(field.lattice, origin, tuple(_tasks(field.lattice, origin, protocols, threads, name)))

    @property
    def settings(self) -> dict[str, Any]:
        """What must agree for parts of two starts to belong to one set."""
        return _settings(self.lattice, self.origin)

    @property
    def states(self) -> int:
        """Number of states."""
        return sum(task.states for task in self.tasks)

    def joined(self, folder: Path) -> LabelSet:
        """The set, from its finished parts in ``folder``."""
        joined = LabelSet.concatenate([store.read(folder / task.file) for task in self.tasks])
        return replace(joined, origin=self.origin)


def make_parts(
    folder: Path, sets: Sequence[Wanted], what: str, workers: int | None, threads: int, scheduler: str | None,
    progress: bool,
) -> None:  # fmt: skip
    """Label the parts of all ``sets`` that ``folder`` lacks; the other arguments are those of :func:`generate`."""
    tasks = [task for one in sets for task in one.tasks]
    missing = [task for task in tasks if not (folder / task.file).exists()]
    states = sum(task.states for task in tasks)
    done = states - sum(task.states for task in missing)
    with progress_bar(what, states, "states", done, progress) as advance:
        for task, labels in run_tasks(missing, workers, threads, scheduler):
            hdf5.write(labels, folder / task.file)
            advance(done := done + len(labels))


def _tasks(lattice: Lattice, origin: Origin, protocols: Sequence[Protocol], threads: int, name: str) -> Iterator[Task]:
    """The parts of a set in the order of its states."""
    assert origin.seed is not None
    per_part = max(1, SITES_PER_PART // lattice.n_sites)
    for number, protocol in enumerate(protocols):
        for first in range(0, protocol.samples, per_part):
            samples = range(first, min(first + per_part, protocol.samples))
            yield Task(
                file=f"{name}{number:03d}-{first:07d}.h5",
                lattice=lattice.to_dict(),
                origin=origin,
                protocol=protocol.part(first, len(samples)),
                seeds={index: sample_seed(origin.seed, number, index) for index in samples},
                threads=threads,
            )


def _settings(lattice: Lattice, origin: Origin) -> dict[str, Any]:
    """Settings that must agree for states of two starts to belong to one set."""
    made = {"protocols": origin.protocols, "seed": origin.seed, "version": origin.version}
    return plain({"lattice": lattice.to_dict(), **origin.physics, **made})


def _refuse_other(found: dict[str, Any], settings: dict[str, Any], where: Path) -> None:
    if difference := differences(found, settings):
        raise UserError(
            f"{where} was generated with other settings: {difference} (there and asked for)",
            allowed="resuming with the same settings",
            fix="repeat the old settings, choose another name, or remove it",
        )


def _finished(path: Path, folder: Path, settings: dict[str, Any], resume: bool) -> LabelSet:
    """The complete set at ``path``, if it is the one asked for."""
    if not resume:
        raise UserError(f"{path} exists", allowed="a new name", fix="remove it, or resume to use it as it is")
    labels = store.read(path)
    _refuse_other(_settings(labels.lattice, labels.origin), settings, path)
    if folder.exists():
        shutil.rmtree(folder)
    return labels


def open_parts(folder: Path, settings: dict[str, Any], resume: bool) -> None:
    """Make the folder of parts, or check that an old one belongs to the same settings."""
    record = folder / "settings.json"
    if record.exists():
        if not resume:
            raise UserError(
                f"{folder} holds parts of an interrupted generation",
                allowed="a new name",
                fix="resume it (resume=True, --resume), or remove the folder",
            )
        _refuse_other(read_json(record), settings, folder)
        return
    if folder.exists() and any(folder.glob("[!.]*")):
        raise UserError(f"{folder} holds other files", allowed="a new name, or a folder of an interrupted generation")
    write_json(record, settings)
