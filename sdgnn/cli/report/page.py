"""Pages of sections, rendered to one HTML file with the figures inside, and beside it as PDF and SVG."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.plots.style import COLUMN, save
from sdgnn.cli.config.base import Config
from sdgnn.cli.report.table import Table
from sdgnn.common.files import atomic_path
from sdgnn.common.provenance import provenance

if TYPE_CHECKING:
    import matplotlib.figure

RESOLUTION = 170
"""Dots per inch of figures in a page."""
FIGURES = "figures"
"""Folder beside a page with its figures as PDF and SVG."""


@dataclass(frozen=True)
class Figure:
    """A picture with its caption."""

    drawing: matplotlib.figure.Figure
    """What is drawn, of one of the two widths that all figures have."""
    caption: str
    """What is to be seen."""
    name: str
    """Name of its files."""

    @property
    def wide(self) -> bool:
        """Whether it takes the whole width of the page; otherwise two stand beside each other."""
        return bool(self.drawing.get_figwidth() > COLUMN)

    @cached_property
    def source(self) -> str:
        """The picture as a data URI."""
        stream = io.BytesIO()
        self.drawing.savefig(stream, format="png", dpi=RESOLUTION)
        return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading."""

    title: str
    """Heading."""
    text: Sequence[str] = ()
    """Paragraphs."""
    tables: Sequence[Table] = ()
    """Tables, after the figures."""
    figures: Sequence[Figure] = ()
    """Figures, after the text."""


@dataclass(frozen=True)
class Page:
    """A report: the answer, the figures that show it, then everything else."""

    title: str
    """Title."""
    answer: str
    """What was found, in a sentence with its numbers and their errors."""
    lead: Sequence[Figure]
    """Figures below the answer."""
    summary: Sequence[str]
    """Paragraphs below these."""
    sections: Sequence[Section]
    """Parts in order."""
    details: dict[str, Any] = field(default_factory=dict)
    """Names and texts shown at the foot: configuration, versions."""

    @property
    def named(self) -> dict[str, Figure]:
        """Every figure by the name of its files: its own, with a number where several have the same."""
        found: dict[str, Figure] = {}
        for one in (*self.lead, *(one for section in self.sections for one in section.figures)):
            names = itertools.chain([one.name], (f"{one.name}-{k}" for k in itertools.count(2)))
            found[next(name for name in names if name not in found)] = one
        return found

    def name_of(self, one: Figure) -> str:
        """The name of a figure's files."""
        return next(name for name, figure in self.named.items() if figure is one)

    def html(self) -> str:
        """The page as HTML, which names the files of the figures; everything but the template is escaped."""
        from jinja2 import Environment, PackageLoader

        environment = Environment(
            loader=PackageLoader("sdgnn.cli.report", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        return environment.get_template("page.html").render(page=self, folder=FIGURES)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes :meth:`html` to ``path``, and the figures as PDF and SVG beside it; returns the path."""
        path = Path(path)
        for one in self.named.values():  # settled once, not again for every kind of file
            one.drawing.draw_without_rendering()
            one.drawing.set_layout_engine("none")
        for name, one in self.named.items():
            save(one.drawing, path.parent / FIGURES / name)
        with atomic_path(path) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")
        return path


def details(config: Config, **more: str) -> dict[str, str]:
    """What stands at the foot of a report: the configuration, ``more`` texts by name, and the versions."""
    return {"Configuration": config.to_yaml(), **more, "Versions": json.dumps(provenance(), indent=2)}
