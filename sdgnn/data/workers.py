"""Labelling of parts of a set: in this process, on processes of this machine, or on a dask cluster."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.sampling import Protocol
from sdgnn.data.solvers import build
from sdgnn.errors import UserError
from sdgnn.lattice import Lattice

CONNECTION_TIMEOUT = 30.0
"""Seconds to wait for a scheduler or a worker of this machine."""

WORTH_STARTING = 20.0
"""Seconds of labelling in one process from which on several are started, which takes seconds itself."""


@dataclass(frozen=True, eq=False)
class Task:
    """Samples of one protocol that are labelled and stored together, described by plain numbers and text."""

    file: str
    """Name of the part; names sort in the order of states."""
    lattice: dict[str, Any]
    """``Lattice.to_dict()``."""
    origin: Origin
    """What to label with."""
    protocol: Protocol
    """What draws the samples."""
    seeds: dict[int, int]
    """Seed of each sample."""
    threads: int
    """Threads of linear algebra."""

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.seeds) * self.protocol.states_per_sample

    def run(self) -> LabelSet:
        """Draw and label the states, one sample at a time."""
        lattice = Lattice.from_dict(self.lattice)
        field = build(self.origin, lattice)
        with _threads(self.threads):
            samples = [self.protocol.sample(lattice, index, seed, field) for index, seed in self.seeds.items()]
            results = [field(sample.spins) for sample in samples]
        densities = [result.density for result in results if result.density is not None]
        potentials = [result.mu for result in results if result.mu is not None]
        return LabelSet(
            lattice=lattice,
            spins=torch.cat([sample.spins for sample in samples]),
            field=torch.cat([result.field for result in results]),
            energy=torch.cat([result.energy for result in results]),
            density=torch.cat(densities) if densities else None,
            mu=torch.cat(potentials) if potentials else None,
            protocol=tuple(name for sample in samples for name in sample.names),
            seed=np.repeat(list(self.seeds.values()), self.protocol.states_per_sample),
            step=np.array([step for sample in samples for step in sample.steps]),
            origin=self.origin,
        )


def run_tasks(
    tasks: Sequence[Task], workers: int | None, threads: int, scheduler: str | None
) -> Iterator[tuple[Task, LabelSet]]:
    """Each task with its labels, as they are done, in any order.

    ``scheduler`` is the address of a dask scheduler. Without it ``workers`` processes are started here (none for 0 or
    1). With None for both, the first task is done in this process; when the others would take it longer than
    WORTH_STARTING, one process is started for each core per ``threads``. Raises UserError when the scheduler cannot be
    reached.
    """
    if scheduler is None and workers is None and tasks:
        start = time.monotonic()
        yield tasks[0], tasks[0].run()
        expected = (time.monotonic() - start) / tasks[0].states * sum(task.states for task in tasks[1:])
        workers = len(os.sched_getaffinity(0)) // threads if expected > WORTH_STARTING else 0
        tasks = tasks[1:]
    wanted = min(workers or 0, len(tasks))
    if not tasks:
        return
    if scheduler is None and wanted <= 1:
        yield from ((task, task.run()) for task in tasks)
        return
    from distributed import Client, KilledWorker, as_completed

    with _cluster(wanted) if scheduler is None else _address(scheduler) as address:
        try:
            client = Client(address, timeout=CONNECTION_TIMEOUT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(
                f"scheduler {scheduler!r} that does not answer ({error})",
                allowed="the address of a running dask scheduler, such as tcp://host:8786",
                fix="start one with `dask scheduler` and workers with `dask worker`, or leave it out",
            ) from error
        with client:
            futures = {client.submit(Task.run, task, pure=False): task for task in tasks}
            try:
                for future in as_completed(list(futures), loop=client.loop):
                    yield futures[future], future.result()
                    future.release()
            except KilledWorker as error:
                raise RuntimeError(
                    f"workers died labelling {error.args[0]}, most likely of too little memory; "
                    "finished parts are kept: resume with fewer workers"
                ) from error
            finally:
                client.cancel(list(futures))


@contextmanager
def _address(scheduler: str) -> Iterator[str]:
    yield scheduler


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    """Worker processes of this machine; they end with this process, however it ends.

    The scheduler lives in this process and workers are child processes that do not import the caller's script, so that
    needs no ``if __name__ == "__main__"``. A worker that dies is replaced.
    """
    import dask
    from distributed import Scheduler, SpecCluster
    from distributed.deploy.subprocess import SubprocessWorker

    worker = {
        "cls": SubprocessWorker,
        "options": {
            "worker_class": "distributed.Nanny",
            "worker_kwargs": {
                "nthreads": 1,
                "host": "127.0.0.1",
                "memory_limit": 0,
                "death_timeout": CONNECTION_TIMEOUT,
                "dashboard": False,
                "silence_logs": logging.ERROR,
            },
        },
    }
    # the processes inherit this configuration; connections that close at the end are no news to the user
    quiet = dask.config.set({"logging.distributed": "error"})
    with (
        quiet,
        SpecCluster(
            workers=dict.fromkeys(range(workers), worker),
            scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard": False}},
            name="labels",
            silence_logs=logging.ERROR,
        ) as cluster,
    ):
        yield cluster


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of linear algebra, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
