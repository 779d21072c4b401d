"""Labels from dask workers: those of a running scheduler, or processes of this machine."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dask
from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster, as_completed
from distributed.comm import CommClosedError

from sdgnn.common.errors import UserError
from sdgnn.data.labels import LabelSet
from sdgnn.data.tasks import Task

CONNECTION_TIMEOUT = 30.0
"""Seconds to wait for a scheduler."""
WORKER_TIMEOUT = 120.0
"""Seconds to wait for workers while none is there."""
CHECK_EVERY = 0.1
"""Seconds between two looks for labels that are done."""
KEPT = "parts that are finished are kept, go on with --resume"
"""What is said of a generation that ends early."""
ALONE = "label in this process: workers=0"


@dataclass(frozen=True)
class Cluster:
    """A scheduler with workers that label."""

    address: str
    """Address of the scheduler, ``tcp://host:port``."""
    name: str
    """What messages call it."""
    fix: str = "start some with `dask worker`"
    """What to do where workers are missing."""
    ended: Callable[[], bool] = lambda: False
    """Whether workers are gone for ever."""
    last_words: Callable[[], str] = lambda: ""
    """The last line that workers wrote as an error, such as that of a traceback; empty if nothing is known."""

    def label(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, LabelSet]]:
        """Each task with its labels, as workers are done with them, in any order.

        Raises UserError when the scheduler does not answer or is gone, when there are no workers, and when they die.
        """
        try:
            client = Client(self.address, timeout=CONNECTION_TIMEOUT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(
                f"{self.name} that does not answer ({error})",
                allowed="the address of a running dask scheduler, such as tcp://host:8786",
                fix="start one with `dask scheduler` and workers with `dask worker`, or leave it out",
            ) from error
        with client:
            futures = {client.submit(Task.run, task, pure=False): task for task in tasks}
            try:
                for future in self._completed(client, list(futures)):
                    yield futures[future], future.result()
                    future.release()
            except KilledWorker as error:
                raise UserError(
                    f"{self.name}: workers die labelling{self._because()}",
                    fix=f"where memory is short, take fewer workers; {KEPT}",
                ) from error
            except (CancelledError, CommClosedError) as error:
                raise UserError(f"{self.name} that is gone", fix=f"start it again; {KEPT}") from error
            finally:
                client.cancel(list(futures))

    def _completed(self, client: Client, futures: list[Future]) -> Iterator[Future]:
        """Futures as they are done. Raises UserError when there are no workers left, or none for WORKER_TIMEOUT."""
        remaining, seen = as_completed(futures, loop=client.loop), time.monotonic()
        while not remaining.is_empty():
            done = remaining.next_batch(block=False)
            yield from done
            if done or client.nthreads():
                seen = time.monotonic()
            elif self.ended() or time.monotonic() - seen > WORKER_TIMEOUT:
                raise UserError(f"{self.name} without workers{self._because()}", fix=f"{self.fix}; {KEPT}")
            if not done:
                time.sleep(CHECK_EVERY)

    def _because(self) -> str:
        words = self.last_words()
        return f" ({words})" if words else ""


@contextmanager
def local_cluster(workers: int) -> Iterator[Cluster]:
    """So many worker processes; they end with this process, however it ends, and one that dies is replaced.

    The scheduler lives in this process and ``dask worker`` in another that imports neither the caller's script, so that
    needs no ``if __name__ == "__main__"``, nor anything from the working folder (``python -P``). Raises UserError when
    the system starts no processes.
    """
    # connections that close at the end are no news to the user
    quiet = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "error"}
    name = f"{workers} worker processes"
    with (
        tempfile.TemporaryFile() as said,
        dask.config.set({"logging.distributed": "error"}),
        LocalCluster(
            n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as scheduler,
    ):  # fmt: skip
        words = (
            "worker", scheduler.scheduler_address, "--nworkers", str(workers), "--nthreads", "1", "--host", "127.0.0.1",
            "--memory-limit", "0", "--death-timeout", str(WORKER_TIMEOUT), "--no-dashboard",
        )  # fmt: skip
        try:
            command = (sys.executable, "-P", "-m", "dask", *words)
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=quiet)
        except OSError as error:
            raise UserError(f"{name} that cannot be started ({error})", fix=ALONE) from error

        def last_words() -> str:
            said.seek(0)
            return (said.read().decode(errors="replace").strip().splitlines() or [""])[-1]

        try:
            address = scheduler.scheduler_address
            yield Cluster(address, name, ALONE, lambda: process.poll() is not None, last_words)
        finally:
            process.terminate()
            process.wait()
