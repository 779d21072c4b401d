"""Folders of runs: never overwritten, resumed only with the same configuration, with versions of every start."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from sdgnn.cli.config.base import Config
from sdgnn.cli.results import open_results
from sdgnn.common.errors import UserError


class Settings(Config):
    """A configuration."""

    steps: int = 1
    """Steps."""
    seed: int = 0
    """Seed."""
    output: Path | None = None
    """Folder."""


def _start_at(moment: float) -> Path:
    """The folder of a run that starts at ``moment``, or at once."""
    time.sleep(max(0.0, moment - time.time()))
    return open_results(Settings(seed=os.getpid()), "train").path.resolve()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_new_folder_tells_how_it_was_made() -> None:
    results = open_results(Settings(seed=3, output=Path("run")), "simulate")
    assert Settings.read("run/config.yaml") == Settings(seed=3, output=Path("run"))
    (start,) = json.loads(Path("run/provenance.json").read_text())["starts"]
    assert start["sdgnn"]
    assert start["libraries"]["torch"]
    assert not results.resumed


def test_runs_without_a_name_get_folders_of_their_own() -> None:
    paths = {open_results(Settings(), "train").path for _ in range(3)}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {Path("results")}


def test_starts_of_one_second_get_folders_of_their_own_from_several_processes() -> None:
    """Twelve processes that wait for each other at the door."""
    with ProcessPoolExecutor(4, multiprocessing.get_context("fork")) as pool:
        barrier = time.time() + 0.3
        paths = list(pool.map(_start_at, [barrier] * 12))
    assert len(set(paths)) == 12
    assert all(Settings.read(path / "config.yaml").seed for path in paths)


def test_full_folders_are_refused() -> None:
    Path("run").mkdir()
    open_results(Settings(output=Path("run")), "train")
    open_results(Settings(seed=2, output=Path("run")), "train")  # nothing was made yet
    Path("run/labels.h5").write_text("precious")
    with pytest.raises(UserError, match=r"already holds something.*--resume"):
        open_results(Settings(output=Path("run")), "train")
    Path("file").write_text("precious")
    with pytest.raises(UserError, match="already holds"):
        open_results(Settings(output=Path("file")), "train")
    assert Path("file").read_text() == "precious"


def test_resuming_takes_the_newest_folder_and_the_same_configuration() -> None:
    first = open_results(Settings(seed=1), "train")
    second = open_results(Settings(seed=2), "train")
    assert open_results(Settings(seed=2), "train", resume=True).path == second.path
    assert len(json.loads((second.path / "provenance.json").read_text())["starts"]) == 2
    with pytest.raises(UserError, match="another seed"):
        open_results(Settings(seed=3, output=first.path), "train", resume=True)
    with pytest.raises(UserError, match="another steps"):
        open_results(Settings(seed=1, steps=2, output=first.path), "train", resume=True)
    open_results(Settings(seed=1, steps=2, output=first.path), "train", resume=True, may_differ=["steps"])
    assert Settings.read(first.path / "config.yaml").steps == 2


def test_parts_of_a_section_may_differ_where_they_are_free() -> None:
    class Section(Config):
        """A section."""

        model: str | None = None
        """A model."""
        size: int = 1
        """A size."""

    class Whole(Config):
        """A configuration with a section."""

        field: Section = Section()
        """A section."""
        output: Path | None = None
        """Folder."""

    open_results(Whole(field=Section(model="a"), output=Path("run")), "simulate")
    open_results(
        Whole(field=Section(model="b"), output=Path("run")), "simulate", resume=True, may_differ=["field.model"]
    )
    for other in (Section(model="b", size=2), Section()):
        with pytest.raises(UserError, match="another field"):
            open_results(Whole(field=other, output=Path("run")), "simulate", resume=True, may_differ=["field.model"])


def test_there_must_be_something_to_resume() -> None:
    with pytest.raises(UserError, match="no run in results/train"):
        open_results(Settings(), "train", resume=True)
    with pytest.raises(UserError, match="nothing to resume in elsewhere"):
        open_results(Settings(output=Path("elsewhere")), "train", resume=True)
