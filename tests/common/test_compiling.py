"""Compiled loops: said when they are made, read from disk afterwards, made again when a source changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sdgnn.common.compiling import AGAIN

SCRIPT = """
from sdgnn.common.compiling import compiled

@compiled(__file__)
def double(x):
    return 2 * x

assert double(2.0) == 4.0 and double(3.0) == 6.0
"""
SAID = "sdgnn: compiling for this processor, some seconds, once"
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n" + SCRIPT
"""The same on a disk that is full."""


def run(script: Path, **environment: str) -> str:
    paths = {"NUMBA_CACHE_DIR": str(script.parent / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, script], env={**os.environ, **paths, **environment}, capture_output=True, text=True, check=True
    ).stderr


def test_compilation_is_said_once_and_kept(tmp_path: Path) -> None:
    script = tmp_path / "doubled.py"
    script.write_text(SCRIPT)
    assert run(script).count(SAID) == 1
    assert run(script) == ""
    script.write_text(SCRIPT + "\n# another source\n")
    assert run(script).count(SAID) == 1


def test_other_processes_of_a_run_are_silent(tmp_path: Path) -> None:
    script = tmp_path / "doubled.py"
    script.write_text(SCRIPT)
    second = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert run(script, **second, MASTER_ADDR="127.0.0.1", MASTER_PORT="1") == ""


def test_where_no_folder_can_be_written_it_works_and_is_said(tmp_path: Path) -> None:
    """As in a container whose user has no home; files in the way keep root from writing, too."""
    script = tmp_path / "doubled.py"
    script.write_text(SCRIPT)
    (tmp_path / "__pycache__").write_text("")
    own = tmp_path / "own"
    said = run(script, NUMBA_CACHE_DIR="", XDG_CACHE_HOME="/dev/null")
    assert said == AGAIN + "\n"
    assert run(script, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(own)) == SAID + "\n"
    assert list((own / "sdgnn").rglob("*.nbc")), "kept in the user's folder for caches"


def test_a_full_disk_and_damaged_files_cost_time_alone(tmp_path: Path) -> None:
    script = tmp_path / "doubled.py"
    script.write_text(LIMITED)
    assert "is not kept in" in run(script) and not list(tmp_path.rglob("*.nbc"))
    script.write_text(SCRIPT)
    run(script)
    for file in [*tmp_path.rglob("*.nbc"), *tmp_path.rglob("*.nbi")]:
        file.write_bytes(file.read_bytes()[:-20])
    assert "is not kept in" in run(script)
