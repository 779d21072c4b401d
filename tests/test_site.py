"""The documentation site: built without warnings, no broken link, and it works in a browser."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[1]
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from a copy of the sources since the build writes pages beside them."""
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("sphinx is not installed: pip install -e '.[docs]'")
    copy = tmp_path_factory.mktemp("site")
    for part in ("docs", "notebooks", "sdgnn", "configs"):
        ignored = shutil.ignore_patterns("_build", "api", "tutorials", "__pycache__")
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "--fail-on-warning", "--keep-going", "docs", "html"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return copy / "html"


@pytest.mark.slow
def test_no_link_is_broken(site: Path) -> None:
    """Every page, anchor and picture that a page points to is there."""
    pages = {path: path.read_text() for path in site.rglob("*.html")}
    assert len(pages) > 100
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    broken, followed = [], 0
    for path, text in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"[a-z]+:|//", link):
                continue
            name, anchor = urldefrag(unquote(link))
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            followed += 1
            known = anchor in anchors.get(target, ()) or not anchor or target.suffix != ".html"
            if not target.exists() or not known:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert followed > 1000 and not broken, broken[:20]


@pytest.mark.slow
def test_pages_of_every_part_are_there(site: Path) -> None:
    for page in ("domain-growth", "spectra-and-orders", "conventions", "choosing", "validation", "configuration"):
        assert (site / f"{page}.html").is_file()
    assert (site / "tutorials" / "03_transfer_and_quench.html").is_file()
    growth = (site / "api" / "sdgnn.analysis.domains.growth.html").read_text()
    assert "growth_exponent" in growth and "jackknife" in growth


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where a local server shows the site."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def opened(address: str, profile: Path) -> str:
    """The page as it stands in the browser once its scripts have run."""
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--virtual-time-budget=20000", "--dump-dom", address,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_in_a_browser(address: str, site: Path, tmp_path: Path) -> None:
    """The first page loads with its figure, and a search finds the page that a reader would look for."""
    first = opened(f"{address}/index.html", tmp_path)
    assert "Learned effective fields for metallic magnets" in first
    (picture,) = re.findall(r'<img[^>]+src="([^"]+quench[^"]*)"', first)
    assert (site / picture).read_bytes().startswith(b"\x89PNG")
    found = opened(f"{address}/search.html?q=growth_exponent", tmp_path)
    assert re.search(r'<ul [^>]*class="search">.*href="[^"]*domain-growth\.html', found, re.DOTALL)
    nothing = opened(f"{address}/search.html?q=qwertzuiop", tmp_path)  # positive control
    assert "did not match any documents" in nothing and "did not match any documents" not in found
