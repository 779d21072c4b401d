"""Fixtures shared by all tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with reference values and published data beside the project; absent in a user's clone."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared folder with reference values beside this clone")
    return folder


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Runs the Python blocks of a page of docs/ one after the other in an empty folder and returns their names.

    Arguments are the page's name and replacements that make it smaller, each of which must be found.
    """

    def run(page: str, smaller: dict[str, str] | None = None) -> dict:
        monkeypatch.chdir(tmp_path)
        code = "".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
        assert code
        for given, used in (smaller or {}).items():
            assert given in code
            code = code.replace(given, used)
        names: dict = {}
        exec(compile(code, page, "exec"), names)
        return names

    return run
