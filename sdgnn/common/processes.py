"""Several processes that run one command together, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import torch.distributed as dist
    from torch import Tensor

TORCHRUN = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables of the environment by which torchrun tells a process of the others."""


def asked() -> bool:
    """Whether this process is one of several that torchrun has started.

    Raises UserError where the environment speaks of several processes and torchrun has started none.
    """
    size = os.environ.get("WORLD_SIZE") or "1"
    if _started() or size == "1":
        return _started()
    missing = ", ".join(name for name in TORCHRUN if not os.environ.get(name))
    raise UserError(
        f"WORLD_SIZE={size} in the environment" + (f" without {missing}" if missing else ""),
        allowed="WORLD_SIZE=1 or none, or what torchrun sets for several processes",
        fix="start with torchrun, or `unset WORLD_SIZE`",
    )


def is_first() -> bool:
    """Whether this process is the one that speaks and writes; one that torchrun has not started among several is."""
    return not _started() or os.environ["RANK"] == "0"


def _started() -> bool:
    return all(os.environ.get(name) for name in TORCHRUN) and os.environ["WORLD_SIZE"] not in ("0", "1")


def together() -> bool:
    """Whether several processes share one run now."""
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def number_of_processes() -> tuple[int, int]:
    """Number of processes that share one run, and the rank of this process."""
    import torch.distributed as dist

    return (dist.get_world_size(), dist.get_rank()) if together() else (1, 0)


def usable_cores() -> int:
    """Cores that this process may use, by its affinity where the system has one (Linux), else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def group() -> Iterator[None]:
    """Connects the processes that torchrun has started: by gloo, and on GPUs by NCCL where each process has one."""
    import torch
    import torch.distributed as dist

    if not asked() or dist.is_initialized():
        yield
        return
    import torch.distributed.nn.functional  # its defaults would keep the group, and gloo's threads, until Python ends

    gpus = torch.cuda.is_available() and torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    try:
        yield
    except UserError:
        wait_for_first()
        raise
    finally:
        dist.destroy_process_group()


def wait_for_first() -> None:
    """Keep other processes from ending, which ends all, until the first one has said what is wrong and is gone."""
    import torch.distributed as dist

    if together() and not is_first():
        with suppress(RuntimeError):
            dist.barrier()


def largest(values: Tensor) -> Tensor:
    """The largest of each of the ``values`` over the processes of a run; themselves where there is one."""
    import torch.distributed as dist

    return _reduced(values, dist.ReduceOp.MAX)


def total(values: Tensor) -> Tensor:
    """The sum of each of the ``values`` over the processes of a run; themselves where there is one."""
    import torch.distributed as dist

    return _reduced(values, dist.ReduceOp.SUM)


def from_first(values: Tensor) -> Tensor:
    """The ``values`` that the first process has; themselves where there is one."""
    import torch.distributed as dist

    if not together():
        return values
    found = values.clone()
    dist.broadcast(found, src=0)
    return found


def _reduced(values: Tensor, by: dist.ReduceOp.RedOpType) -> Tensor:
    import torch.distributed as dist

    if not together():
        return values
    found = values.clone()
    dist.all_reduce(found, by)
    return found


@contextmanager
def first_alone() -> Iterator[bool]:
    """Whether to do what the first process does alone; all go on when it is done, or end when it fails.

    with first_alone() as mine:
        if mine:
            write(...)
    """
    import torch
    import torch.distributed as dist

    if not together():
        yield True
        return
    failed = torch.zeros(1, dtype=torch.float32, device="cpu")
    try:
        yield is_first()
    except BaseException:
        failed += 1
        raise
    finally:
        dist.broadcast(failed, src=0)
    if failed:
        wait_for_first()
        raise SystemExit(1)
