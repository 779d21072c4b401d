"""Reports need nothing else, have their figures as files beside them, and show what they are given, escaped."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure as Drawing

from sdgnn.analysis.plots.style import COLUMN, WIDTH
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


def drawing(width: float = COLUMN) -> Drawing:
    """A curve with a label in letters and one in symbols."""
    figure = Drawing(figsize=(width, 1))
    axes = figure.subplots()
    axes.plot([0, 1])
    axes.set(xlabel="spin waves", ylabel=r"$\omega$")
    return figure


def page() -> Page:
    table = Table(["field", "R²"], [["network", "0.98"], ["<b>Heisenberg</b>", "0.7"]], "errors & co")
    section = Section("Errors", ["a < b"], [table], [Figure(drawing(), 'a "line"', "line")])
    lead = [Figure(drawing(WIDTH), "first", "map"), Figure(drawing(), "second", "line")]
    return Page("Title", "R² = 0.98 ± 0.02", lead, ["summary"], [section], {"Configuration": "kT: 0.1"})


def test_pages_hold_everything_and_load_nothing(tmp_path: Path) -> None:
    html = page().write(tmp_path / "report.html").read_text()
    for text in ("Title", "summary", "Errors", "network", "0.98", "errors &amp; co", "kT: 0.1", "a &#34;line&#34;"):
        assert text in html
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) == 3 and all(base64.b64decode(one).startswith(b"\x89PNG") for one in pictures)
    for tag in ("<script", "<link", 'src="http', "@import", "url("):
        assert tag not in html


def test_the_answer_leads_and_tables_come_last() -> None:
    html = page().html()
    parts = ("0.98 ± 0.02", ">first ", ">second ", "<p>summary", "a &lt; b", "line-2.pdf", "<table")
    order = [html.index(text) for text in parts]
    assert order == sorted(order)


def test_figures_lie_beside_the_page_as_pdf_and_svg(tmp_path: Path) -> None:
    """Every link leads to a file; letters are text in SVG, TrueType in PDF; a second writing changes nothing."""
    html = page().write(tmp_path / "report.html").read_text()
    links = re.findall(r'href="(figures/[^"]+)"', html)
    assert links == [f"figures/{name}.{kind}" for name in ("map", "line", "line-2") for kind in ("pdf", "svg")]
    content = {link: (tmp_path / link).read_bytes() for link in links}
    for link, data in content.items():
        if link.endswith("svg"):
            texts = [node.text for node in ET.fromstring(data).iter("{http://www.w3.org/2000/svg}text")]
            assert "spin waves" in texts
        else:
            assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
            assert b"/FontFile2" in data and b"/Type3" not in data
    page().write(tmp_path / "report.html")
    assert content == {link: (tmp_path / link).read_bytes() for link in links}


def test_figures_have_one_of_two_widths() -> None:
    html = page().html()
    assert len(re.findall(r'<figure class="wide">', html)) == 1 and len(re.findall("<figure>", html)) == 2


def test_text_is_never_markup() -> None:
    html = page().html()
    assert "<b>Heisenberg" not in html
    assert "&lt;b&gt;Heisenberg&lt;/b&gt;" in html
    assert "a &lt; b" in html


def test_tags_are_balanced() -> None:
    parser = Balanced()
    parser.feed(page().html())
    assert parser.open == []
