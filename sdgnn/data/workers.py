"""Labelling of parts of a set: in this process, on processes of this machine, or on a dask cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from sdgnn.common.extras import missing, require
from sdgnn.common.processes import usable_cores
from sdgnn.data.labels import LabelSet
from sdgnn.data.tasks import Task

WORTH_STARTING = 20.0
"""Seconds of labelling in one process from which on several are started, which takes seconds itself."""


def run_tasks(
    tasks: Sequence[Task], workers: int | None, threads: int, scheduler: str | None
) -> Iterator[tuple[Task, LabelSet]]:
    """Each task with its labels, as they are done, in any order.

    ``scheduler`` is the address of a dask scheduler. Without it ``workers`` processes are started here (none for 0 or
    1). With None for both, the first task is done in this process; when the others would take it longer than
    WORTH_STARTING and dask is installed, one process is started for each core per ``threads``. Raises UserError when
    processes are asked for without dask, when the scheduler cannot be reached or is gone, and when workers cannot be
    started, die again and again or are not there.
    """
    if scheduler is None and workers is None and tasks:
        start = time.monotonic()
        yield tasks[0], tasks[0].run()
        expected = (time.monotonic() - start) / tasks[0].states * sum(task.states for task in tasks[1:])
        workers = usable_cores() // threads if expected > WORTH_STARTING and not missing("cluster") else 0
        tasks = tasks[1:]
    wanted = min(workers or 0, len(tasks))
    if not tasks:
        return
    if scheduler is None and wanted <= 1:
        yield from ((task, task.run()) for task in tasks)
        return
    require("cluster", "labels by several processes")
    from sdgnn.data.cluster import Cluster, local_cluster

    with nullcontext(Cluster(scheduler, f"scheduler {scheduler}")) if scheduler else local_cluster(wanted) as cluster:
        yield from cluster.label(tasks)
