"""Labelling of parts of a set: in this process, on processes of this machine, or on a dask cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sdgnn.common.errors import UserError
from sdgnn.common.processes import usable_cores
from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.sampling import Protocol
from sdgnn.data.solvers import build
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from distributed import Client, Future

    from sdgnn.data.cluster import Cluster

CONNECTION_TIMEOUT = 30.0
"""Seconds to wait for a scheduler."""
WORKER_TIMEOUT = 120.0
"""Seconds to wait for workers while none is there."""
CHECK_EVERY = 0.1
"""Seconds between two looks for labels that are done."""
KEPT = "parts that are finished are kept, go on with --resume"
"""What is said of a generation that ends early."""

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
    reached or is gone, and when workers cannot be started, die again and again or are not there.
    """
    if scheduler is None and workers is None and tasks:
        start = time.monotonic()
        yield tasks[0], tasks[0].run()
        expected = (time.monotonic() - start) / tasks[0].states * sum(task.states for task in tasks[1:])
        workers = usable_cores() // threads if expected > WORTH_STARTING else 0
        tasks = tasks[1:]
    wanted = min(workers or 0, len(tasks))
    if not tasks:
        return
    if scheduler is None and wanted <= 1:
        yield from ((task, task.run()) for task in tasks)
        return
    from sdgnn.data.cluster import Cluster, local_cluster

    if scheduler is not None:
        yield from _submitted(tasks, Cluster(scheduler, f"scheduler {scheduler}", "start some with `dask worker`"))
        return
    with local_cluster(wanted, WORKER_TIMEOUT) as cluster:
        yield from _submitted(tasks, cluster)


def _submitted(tasks: Sequence[Task], cluster: Cluster) -> Iterator[tuple[Task, LabelSet]]:
    """Each task with its labels, as workers are done with them. Raises UserError when there are none, or none lives."""
    from distributed import CancelledError, Client, KilledWorker
    from distributed.comm import CommClosedError

    try:
        client = Client(cluster.address, timeout=CONNECTION_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(
            f"{cluster.name} that does not answer ({error})",
            allowed="the address of a running dask scheduler, such as tcp://host:8786",
            fix="start one with `dask scheduler` and workers with `dask worker`, or leave it out",
        ) from error
    with client:
        futures = {client.submit(Task.run, task, pure=False): task for task in tasks}
        try:
            for future in _completed(client, list(futures), cluster):
                yield futures[future], future.result()
                future.release()
        except KilledWorker as error:
            raise UserError(
                f"{cluster.name}: workers die labelling{_because(cluster)}",
                fix=f"where memory is short, take fewer workers; {KEPT}",
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise UserError(f"{cluster.name} that is gone", fix=f"start it again; {KEPT}") from error
        finally:
            client.cancel(list(futures))


def _completed(client: Client, futures: list[Future], cluster: Cluster) -> Iterator[Future]:
    """Futures as they are done. Raises UserError when there are no workers left, or none for WORKER_TIMEOUT."""
    from distributed import as_completed

    remaining, seen = as_completed(futures, loop=client.loop), time.monotonic()
    while not remaining.is_empty():
        done = remaining.next_batch(block=False)
        yield from done
        if done or client.nthreads():
            seen = time.monotonic()
        elif cluster.ended() or time.monotonic() - seen > WORKER_TIMEOUT:
            raise UserError(f"{cluster.name} without workers{_because(cluster)}", fix=f"{cluster.fix}; {KEPT}")
        if not done:
            time.sleep(CHECK_EVERY)


def _because(cluster: Cluster) -> str:
    words = cluster.last_words()
    return f" ({words})" if words else ""


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of linear algebra, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
