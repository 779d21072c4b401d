"""The documentation site: built without warnings, complete, no broken link, and read in a browser."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


def loaded(path: Path) -> ModuleType:
    """A script of the repository that is no module of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = loaded(ROOT / "docs" / "check.py")
BROWSER = next((path for name in CHECK.BROWSERS if (path := shutil.which(name))), None)


def exported() -> dict[tuple[str, str], set[str]]:
    """All names that users import, by where they are defined: those of the stubs but the command line's, and of the
    modules that stubs export."""
    found: dict[tuple[str, str], set[str]] = {}
    for stub in sorted((ROOT / "sdgnn").rglob("__init__.pyi")):
        package = ".".join(stub.parent.relative_to(ROOT).parts)
        if package.startswith("sdgnn.cli"):
            continue
        for line in ast.parse(stub.read_text()).body:
            if not isinstance(line, ast.ImportFrom):
                continue
            for name in (str(alias.asname) for alias in line.names):
                item = getattr(importlib.import_module(package), name)
                if not inspect.ismodule(item):
                    home = importlib.import_module(f"{package}.{line.module}")
                    origin = getattr(item, "__module__", None) if callable(item) else home.__name__
                    found.setdefault((str(origin), name), set()).add(f"{package}.{name}")
                elif not hasattr(item, "__path__"):
                    for inner, member in vars(item).items():
                        if inner[0] != "_" and getattr(member, "__module__", None) == item.__name__:
                            found.setdefault((item.__name__, inner), set()).add(f"{item.__name__}.{inner}")
    return found


def test_every_exported_name_has_its_entry_on_one_page_of_the_reference() -> None:
    entries = Counter(
        name
        for page in REFERENCE.glob("*.md")
        for name in re.findall(r"^\.\. auto\w+:: (\S+)$", page.read_text(), re.M)
    )
    names = exported()
    assert len(names) > 200
    missing = [sorted(places) for places in names.values() if sum(entries[place] for place in places) != 1]
    assert not missing, "names with no entry, or with several"
    public = set().union(*names.values())
    assert set(entries) <= public, "entries of names that are not exported"


@pytest.mark.parametrize("page", sorted(path.name for path in REFERENCE.glob("*.md") if path.stem != "index"))
def test_examples_of_the_reference_run(page: str, run_page, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert run_page(f"reference/{page}")


def test_the_table_of_thirty_things_names_what_is_exported() -> None:
    table = re.findall(r"\{py:\w+\}`([\w.]+)`", (REFERENCE / "index.md").read_text())
    assert len(table) > 30 and set(table) <= set().union(*exported().values())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with notebooks that are not run, built from a copy of the sources: pages are written beside them."""
    if importlib.util.find_spec("myst_nb") is None:
        pytest.skip("myst-nb is not installed: pip install -e '.[docs]'")
    copy = tmp_path_factory.mktemp("site")
    for part in ("docs", "notebooks", "sdgnn", "configs"):
        ignored = shutil.ignore_patterns("_build", "keys", "tutorials", "__pycache__")
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    fetched = ROOT / "docs" / "_build" / "static"
    if fetched.is_dir():
        shutil.copytree(fetched, copy / "docs" / "_build" / "static")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "--fail-on-warning", "--keep-going"]
    command += ["-D", "nb_execution_mode=off", "docs", "html"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return copy / "html"


@pytest.mark.slow
def test_no_link_is_broken(site: Path) -> None:
    """Every page, anchor and picture that a page points to is there."""
    assert len(CHECK.pages_of(site)) > 50
    assert not CHECK.broken_links(site)
    page = site / "conventions.html"
    page.write_text(page.read_text() + '<a href="nowhere.html">positive control</a><a href="#nothing">another</a>')
    assert CHECK.broken_links(site) == [
        f"conventions.html: broken link {name}" for name in ("nowhere.html", "#nothing")
    ]


@pytest.mark.slow
def test_pages_of_every_part_are_there(site: Path) -> None:
    from sdgnn.cli.config.index import COMMANDS
    from sdgnn.cli.config.reference import keys

    growth = (site / "reference" / "analysis.html").read_text()
    assert "growth_exponent" in growth and "jackknife" in growth
    assert (site / "tutorials" / "03_transfer_and_quench.html").is_file()
    for command, settings in COMMANDS.items():
        page = (site / "keys" / f"{command.replace(' ', '-')}.html").read_text()
        assert all(f">{path}<" in page for path, *_ in keys(settings))
    for page in CHECK.QUESTIONS.values():
        assert (site / page).is_file()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: figures, equations and search go unchecked")
def test_in_a_browser(site: Path) -> None:
    """Figures load, equations are set without a connection, and the search finds the pages that readers look for."""
    pages, questions = CHECK.pages_of(site), [*CHECK.QUESTIONS, "qwertzuiop"]
    (site / "bad.html").write_text('<article><img src="none.png"><p>$$x$$</p><span class="math">y</span></article>')
    report = CHECK.browsed(site, BROWSER, [*pages, "bad.html"], questions)
    bad = report["pages"].pop("bad.html")  # positive controls
    assert bad["pictures"] == ["none.png"] and bad["raw"] == ["$$x$$"] and bad["unset"] == ["y"]
    assert report["questions"].pop("qwertzuiop") == []
    assert not CHECK.page_faults(report["pages"])
    assert not CHECK.search_faults(report["questions"], site)
