"""Which variables of the environment make a process one of several."""

from __future__ import annotations

import os

import pytest

from sdgnn.common import processes
from sdgnn.common.errors import UserError

TORCHRUN = {
    "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1",
}  # fmt: skip
"""What torchrun sets, https://docs.pytorch.org/docs/stable/elastic/run.html."""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "asked", "first"),
    [
        ({}, False, True),
        (TORCHRUN, True, False),
        (TORCHRUN | {"RANK": "0"}, True, True),
        (TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"}, False, True),
        ({"RANK": "1"}, False, True),
        ({"RANK": "1", "WORLD_SIZE": ""}, False, True),
        ({"RANK": "", "WORLD_SIZE": "1"}, False, True),
    ],
)
def test_torchrun_alone_makes_several(
    variables: dict[str, str], asked: bool, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes.asked() is asked
    assert processes.is_first() is first


@pytest.mark.parametrize("size", ["4", "many"])
def test_several_processes_that_nobody_started_are_refused_aloud(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(UserError, match=rf"WORLD_SIZE={size} .*without LOCAL_RANK.*unset WORLD_SIZE"):
        processes.asked()
    assert processes.is_first(), "so that the refusal is said"


def test_cores_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= processes.usable_cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert processes.usable_cores() == os.cpu_count()
