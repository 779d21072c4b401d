"""Tables: in reports, on the console and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table as ConsoleTable

Columns = Mapping[str, Callable[[dict[str, Any]], str]]
"""Names of columns, and what stands in each for a row of numbers."""


@dataclass(frozen=True)
class Table:
    """Cells under a head; numbers are given as text, rounded as they should be read."""

    head: Sequence[str]
    """Names of the columns."""
    rows: Sequence[Sequence[str]]
    """Cells, one for each column."""
    caption: str = ""
    """What the table shows."""
    words: Collection[str] = ()
    """Columns of words, which stand to the left; numbers stand to the right."""
    unbroken: str | None = None
    """The column that the console does not wrap."""

    @classmethod
    def of(cls, columns: Columns, rows: Sequence[dict[str, Any]], caption: str = "", **layout: Any) -> Table:
        """The table of rows of numbers, whose cells ``columns`` write; ``layout`` is ``words`` and ``unbroken``."""
        return cls(list(columns), [[cell(row) for cell in columns.values()] for row in rows], caption, **layout)

    def markdown(self) -> str:
        """The table in Markdown, without caption."""
        rule = ["---" if name in self.words else "---:" for name in self.head]
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.head, rule, *self.rows))

    def for_console(self) -> ConsoleTable:
        """The table as rich prints it."""
        from rich.table import Table as ConsoleTable

        table = ConsoleTable(title=self.caption or None)
        for name in self.head:
            table.add_column(name, justify="left" if name in self.words else "right", no_wrap=name == self.unbroken)
        for row in self.rows:
            table.add_row(*row)
        return table


def number_or_dash(value: float | None, form: str) -> str:
    """A number in the format ``form``; a dash where there is none."""
    return "-" if value is None or value != value else f"{value:{form}}"
