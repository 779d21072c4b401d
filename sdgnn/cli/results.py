"""One folder for each run: its configuration, provenance and everything it makes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.plots.style import save
from sdgnn.cli.config import yaml_text
from sdgnn.cli.config.base import Config
from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path, read_json, write_failure, write_json
from sdgnn.common.locking import LOCK, OWNER, lock_folder
from sdgnn.common.processes import first_alone, together
from sdgnn.common.provenance import provenance

if TYPE_CHECKING:
    import matplotlib.figure
    import xarray
    from filelock import BaseFileLock

ROOT = Path("results")
"""Where folders of runs without a given output are made, in the current folder."""

START = ("config.yaml", "provenance.json")
"""Files made before a run begins."""
EMPTY = (*START, LOCK, OWNER)
"""A folder with nothing but these holds no results."""


@dataclass(frozen=True)
class Results:
    """The folder of one run."""

    path: Path
    """The folder, holding config.yaml and provenance.json from the start."""
    resumed: bool
    """Whether an interrupted run goes on here."""
    lock: BaseFileLock | None
    """Keeps others from writing here as long as this object is kept; held by the first of several processes."""

    def close(self) -> None:
        """Let others write here."""
        if self.lock is not None:
            self.lock.release()

    def write_json(self, name: str, content: dict[str, Any]) -> Path:
        """Write ``content`` to ``name`` in the folder and return its path."""
        return write_json(self.path / name, content)

    def write_figure(self, name: str, figure: matplotlib.figure.Figure) -> None:
        """Write a figure to ``name``.png, ``name``.pdf and ``name``.svg in the folder."""
        with atomic_path(self.path / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png")
        save(figure, self.path / name)

    def write_netcdf(self, name: str, content: xarray.Dataset) -> Path:
        """Write ``content`` to ``name`` (.nc, NetCDF 3) in the folder and return its path.

        The folder's config.yaml and provenance.json go with it as the attributes ``config`` and ``provenance``, so that
        the file can leave the folder.
        """
        path = self.path / name
        made = {Path(start).stem: (self.path / start).read_text(encoding="utf-8") for start in START}
        content = content.assign_attrs(made)
        with atomic_path(path) as temporary:
            content.to_netcdf(temporary, engine="scipy")
        return path


def open_results(config: Config, name: str, resume: bool = False, may_differ: Sequence[str] = ()) -> Results:
    """Make the folder of a run, or open that of an interrupted one; of several processes the first one does.

    The key ``output`` names the folder; without it a new ``results/<name>-<date>-<time>`` is made, and ``resume`` takes
    the newest of that name; keys that ``may_differ`` (``steps``, ``field.model``) are then not compared.
    ``config.yaml`` repeats the run (``sdgnn <command> config.yaml``); ``provenance.json`` holds versions, commit, date
    and machine of every start.

    Raises UserError when the folder already holds a run and ``resume`` is not set, when there is nothing to resume,
    when it holds the run of another configuration, when another process is writing there, and where several processes
    have no ``output`` in common.
    """
    output: Path | None = config.output  # type: ignore[attr-defined]
    if together() and output is None:
        raise UserError(f"{name} on several processes without output", allowed="output=FOLDER, which all of them see")
    with first_alone() as mine:
        if mine:
            return _open(config, name, output, resume, may_differ)
    assert output is not None
    return Results(output, resume, None)


def _open(config: Config, name: str, output: Path | None, resume: bool, may_differ: Sequence[str]) -> Results:
    path = resumed_folder(name, output) if resume else _fresh(name) if output is None else output
    saved, starts = (path / name for name in START)
    if resume:
        if not saved.is_file():
            raise UserError(f"nothing to resume in {path}", allowed="the folder of an interrupted run (output=...)")
        _check_same(config, yaml_text.read(saved), path, {"output", *may_differ})
    else:
        _check_empty(path)
    lock = lock_folder(path)
    if not resume:
        _check_empty(path)  # nobody has run here before the lock was ours
    config.save(saved)
    history = read_json(starts)["starts"] if starts.is_file() else []
    results = Results(path, resume, lock)
    results.write_json(starts.name, {"command": name, "starts": [*history, provenance()]})
    return results


def _check_empty(path: Path) -> None:
    """Raises UserError where a folder holds results, or a file is in its place."""
    if path.exists() and (not path.is_dir() or any(item.name not in EMPTY for item in path.iterdir())):
        raise UserError(
            f"{path} already holds something",
            allowed="a new or empty folder",
            fix="give another output=FOLDER, remove it, or go on with an interrupted run with --resume",
        )


def _fresh(name: str) -> Path:
    """A new folder that no other start has, however many there are in a second."""
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        path = ROOT / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            if not path.is_dir():
                raise UserError(f"{path} cannot be made: {error}", fix="give output=FOLDER") from error
        except OSError as error:
            raise UserError(
                f"{path} could not be written: {write_failure(error) or error}", fix="give output=FOLDER"
            ) from error
        else:
            return path
    raise AssertionError("whole numbers have no end")


def resumed_folder(name: str, output: Path | None = None) -> Path:
    """The folder of the run to go on with: ``output``, else the newest of that name. Raises UserError without any."""
    if output is not None:
        return output
    runs = sorted(ROOT.glob(f"{name}-*/config.yaml"), key=lambda p: p.stat().st_mtime)
    if not runs:
        raise UserError(f"no run in {ROOT}/{name}-* to resume", fix="give its folder with output=FOLDER")
    return runs[-1].parent


def _check_same(config: Config, saved: dict[str, Any], path: Path, may_differ: set[str]) -> None:
    there = type(config).parse(saved, source=str(path / "config.yaml")).model_dump(mode="json")
    asked = config.model_dump(mode="json")
    for key in may_differ:
        for data in (there, asked):
            _forget(data, key.split("."))
    if different := differences(there, asked):
        raise UserError(
            f"{path} holds a run with another {different} (there and asked for)",
            allowed="resuming with the same configuration",
            fix=f"resume with {path / 'config.yaml'}, or start a new run in another folder",
        )


def _forget(data: dict[str, Any], keys: Sequence[str]) -> None:
    """Take a key out of nested data, but not that something was given there."""
    for key in keys[:-1]:
        data = data.get(key) or {}
    if data.get(keys[-1]) is not None or len(keys) == 1:
        data[keys[-1]] = "given"
