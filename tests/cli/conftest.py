"""A folder to work in."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.configurations import LABELS, QUENCH


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with labels.yaml and quench.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.yaml").write_text(LABELS)
    (tmp_path / "quench.yaml").write_text(QUENCH)
    return tmp_path
