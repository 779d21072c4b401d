"""Tables of results: on the console, and as Markdown in the results folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.table import Table as ConsoleTable

from sdgnn.cli.commands.console import console
from sdgnn.cli.results import Results
from sdgnn.common.files import atomic_path


@dataclass(frozen=True)
class Table:
    """Cells under a head; numbers stand to the right."""

    title: str
    head: Sequence[str]
    """Names of the columns."""
    rows: Sequence[Sequence[str]]
    """Cells, a row each."""
    left: Collection[str]
    """Columns of words, which stand to the left."""
    whole: str | None = None
    """The column that the console does not wrap."""

    def write(self, results: Results) -> None:
        """Print it, and write it to ``table.md``."""
        with atomic_path(results.path / "table.md") as temporary:
            temporary.write_text(self.markdown(), encoding="utf-8")
        table = ConsoleTable(title=self.title)
        for name in self.head:
            table.add_column(name, justify="left" if name in self.left else "right", no_wrap=name == self.whole)
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        """The table in Markdown."""
        rule = ["---" if name in self.left else "---:" for name in self.head]
        return "".join(f"| {' | '.join(line)} |\n" for line in (self.head, rule, *self.rows))
