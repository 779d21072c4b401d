"""The progress bar of whatever takes long, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")

BAR, TIME = 12, 7
"""Characters of a bar and of a time, so that counts and times have room on 80."""


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, note: str = "") -> None:
        """``done`` of all units are done; a ``note`` stands behind the bar from then on."""


@contextmanager
def progress_bar(what: str, total: int, unit: str, done: int = 0, shown: bool = True) -> Iterator[Advance]:
    """A bar with the times that have passed and are left; nothing appears where it is not ``shown``.

    with progress_bar("simulating", steps, "steps") as advance:
        for step in range(steps):
            ...
            advance(step + 1)
    """
    if not shown:
        yield lambda done, note="": None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    def kept(width: int) -> Column:
        """A column that a narrow terminal does not shorten: description, bar and note give way to it."""
        return Column(no_wrap=True, min_width=width)

    told = f"{unit}, elapsed"
    columns = (
        TextColumn("{task.description}"), BarColumn(BAR),
        MofNCompleteColumn(table_column=kept(2 * len(str(total)) + 1)),
        TextColumn(told, table_column=kept(len(told))), TimeElapsedColumn(table_column=kept(TIME)),
        TextColumn("left", table_column=kept(4)), TimeRemainingColumn(table_column=kept(TIME)),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, completed=done, note="")

        def advance(done: int, note: str = "") -> None:
            bar.update(task, completed=done)
            if note:
                bar.update(task, note=note)

        yield advance


def counted(items: Iterable[T], progress: Callable[[int], None] | None) -> Iterator[T]:
    """``items`` one after another; ``progress``, where there is one, is told how many are done."""
    for done, item in enumerate(items, 1):
        yield item
        if progress is not None:
            progress(done)
