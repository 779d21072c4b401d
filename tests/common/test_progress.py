"""Counts of a progress bar are whole on narrow outputs too."""

from __future__ import annotations

import pytest

from sdgnn.common.progress import progress_bar


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(("what", "total"), [("simulating", 1760), ("labels results/a-long-folder/labels.h5", 1234567)])
def test_counts_are_whole(
    what: str, total: int, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress_bar(what, total, "steps") as advance:
        advance(total, "loss 0.0123")
    said = capsys.readouterr().err
    assert f"{total}/{total} steps, elapsed 0:00:0" in said and "left" in said
    assert max(map(len, said.splitlines())) <= columns


def test_nothing_appears_where_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("simulating", 3, "steps", shown=False) as advance:
        advance(3)
    assert capsys.readouterr().err == ""
