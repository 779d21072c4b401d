"""Pages of sections, rendered to one HTML file with the figures inside."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdgnn.cli.config.base import Config
from sdgnn.cli.report.table import Table
from sdgnn.common.files import atomic_path
from sdgnn.common.provenance import provenance

if TYPE_CHECKING:
    import matplotlib.figure

RESOLUTION = 110
"""Dots per inch of figures in a page."""


@dataclass(frozen=True)
class Figure:
    """A picture with its caption."""

    png: bytes
    """The picture as PNG."""
    caption: str
    """What is to be seen."""

    @classmethod
    def of(cls, figure: matplotlib.figure.Figure, caption: str) -> Figure:
        """A matplotlib figure, drawn at :data:`RESOLUTION`."""
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=RESOLUTION, bbox_inches="tight")
        return cls(stream.getvalue(), caption)

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading."""

    title: str
    """Heading."""
    text: Sequence[str] = ()
    """Paragraphs."""
    tables: Sequence[Table] = ()
    """Tables, after the text."""
    figures: Sequence[Figure] = ()
    """Figures, after the tables."""


@dataclass(frozen=True)
class Page:
    """A report."""

    title: str
    """Title."""
    summary: Sequence[str]
    """Paragraphs at the top."""
    sections: Sequence[Section]
    """Parts in order."""
    details: dict[str, Any] = field(default_factory=dict)
    """Names and texts shown at the foot: configuration, versions."""

    def html(self) -> str:
        """The page as HTML; everything but the template is escaped."""
        from jinja2 import Environment, PackageLoader

        environment = Environment(
            loader=PackageLoader("sdgnn.cli.report", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        return environment.get_template("page.html").render(page=self)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`html` to ``path`` and return it."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")
        return Path(path)


def details(config: Config, **more: str) -> dict[str, str]:
    """What stands at the foot of a report: the configuration, ``more`` texts by name, and the versions."""
    return {"Configuration": config.to_yaml(), **more, "Versions": json.dumps(provenance(), indent=2)}
