"""Reports are one file that needs nothing else, and show what they are given, escaped."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from sdgnn.cli.report import Figure, Page, Section, Table

VOID = {"meta", "img", "br", "hr"}


class Balanced(HTMLParser):
    """Collects open tags; every end tag must close the last of them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page() -> Page:
    drawing = Drawing(figsize=(2, 1))
    drawing.subplots().plot([0, 1])
    table = Table(["field", "R²"], [["network", "0.98"], ["<b>Heisenberg</b>", "0.7"]], "errors & co")
    section = Section("Errors", ["a < b"], [table], [Figure.of(drawing, 'a "line"')])
    return Page("Title", ["summary"], [section], {"Configuration": "kT: 0.1"})


def test_pages_hold_everything_and_load_nothing(tmp_path: Path) -> None:
    html = page().write(tmp_path / "report.html").read_text()
    for text in ("Title", "summary", "Errors", "network", "0.98", "errors &amp; co", "kT: 0.1", "a &#34;line&#34;"):
        assert text in html
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    for tag in ("<script", "<link", 'src="http', "@import", "url("):
        assert tag not in html


def test_text_is_never_markup() -> None:
    html = page().html()
    assert "<b>Heisenberg" not in html
    assert "&lt;b&gt;Heisenberg&lt;/b&gt;" in html
    assert "a &lt; b" in html


def test_tags_are_balanced() -> None:
    parser = Balanced()
    parser.feed(page().html())
    assert parser.open == []
