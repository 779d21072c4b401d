"""Dask clusters that label: one that is running, or processes of this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import dask
from distributed import Scheduler, SpecCluster
from distributed.deploy.subprocess import SubprocessWorker

from sdgnn.common.errors import UserError

ALONE = "label in this process: workers=0"


@dataclass(frozen=True)
class Cluster:
    """A scheduler with workers that label."""

    address: str | SpecCluster
    """What a client connects to."""
    name: str
    """What messages call it."""
    fix: str
    """What to do where workers are missing."""
    ended: Callable[[], bool] = lambda: False
    """Whether workers are gone for ever."""
    last_words: Callable[[], str] = lambda: ""
    """The last line that workers wrote as an error, such as that of a traceback; empty if nothing is known."""


class LabelWorker(SubprocessWorker):
    """A process that imports nothing from the working folder (``python -P``) and writes its errors into ``said``."""

    def __init__(self, scheduler: str, said: IO[bytes], **options: Any) -> None:
        super().__init__(scheduler, **options)
        self._said = said

    async def _start(self) -> None:
        what = json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs})
        command = (sys.executable, "-P", "-m", "dask", "spec", self.scheduler, "--spec", what)
        self.process = await asyncio.create_subprocess_exec(*command, stderr=self._said)

    @property
    def ended(self) -> bool:
        """Whether the process is there no more."""
        return self.process is None or self.process.returncode is not None


@contextmanager
def local_cluster(workers: int, patience: float) -> Iterator[Cluster]:
    """So many worker processes; they end with this process, however it ends, and one that dies is replaced.

    The scheduler lives in this process and workers are child processes that do not import the caller's script, so that
    needs no ``if __name__ == "__main__"``. A worker that finds no scheduler within ``patience`` seconds ends. Raises
    UserError when the system starts no processes.
    """
    # the processes inherit this configuration; connections that close at the end are no news to the user
    with tempfile.TemporaryFile() as said, dask.config.set({"logging.distributed": "error"}):
        worker = {
            "cls": LabelWorker,
            "options": {
                "said": said,
                "worker_class": "distributed.Nanny",
                "worker_kwargs": {
                    "nthreads": 1,
                    "host": "127.0.0.1",
                    "memory_limit": 0,
                    "death_timeout": patience,
                    "dashboard": False,
                    "silence_logs": logging.ERROR,
                },
            },
        }

        def ended() -> bool:
            return all(worker.ended for worker in cluster.workers.values())

        def last_words() -> str:
            said.seek(0)
            return (said.read().decode(errors="replace").strip().splitlines() or [""])[-1]

        try:
            cluster = SpecCluster(
                workers=dict.fromkeys(range(workers), worker),
                scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard": False}},
                name="labels",
                silence_logs=logging.ERROR,
            )
        except (OSError, RuntimeError) as error:
            raise UserError(f"{workers} worker processes that cannot be started ({error})", fix=ALONE) from error
        with cluster:
            yield Cluster(cluster, f"{workers} worker processes", ALONE, ended, last_words)
