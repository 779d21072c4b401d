"""Compiled loops: said when they are made, read from disk afterwards, made again when a source changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
from sdgnn.common.compiling import compiled

@compiled("twice", __file__)
def double(x):
    return 2 * x

assert double(2.0) == 4.0 and double(3.0) == 6.0
"""
SAID = "sdgnn: compiling twice for this processor, some seconds, once\n"
AGAIN = SAID.replace("once", "at every start, as no folder for what is compiled can be written")
ENDED = r"sdgnn: compiled in (\d+\.\d) s\n"
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n" + SCRIPT
"""The same on a disk that is full."""


def run(script: Path, **environment: str) -> str:
    paths = {"NUMBA_CACHE_DIR": str(script.parent / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, script], env={**os.environ, **paths, **environment}, capture_output=True, text=True, check=True
    ).stderr


def test_compilation_is_said_once_with_its_seconds_and_kept(tmp_path: Path) -> None:
    script = tmp_path / "doubled.py"
    script.write_text(SCRIPT)
    start = time.perf_counter()
    said = re.fullmatch(SAID + ENDED, run(script))
    assert said and 0 <= float(said[1]) < time.perf_counter() - start  # a tenth of a second is rounded to 0.1 or 0.0
    assert run(script) == ""
    script.write_text(SCRIPT + "\n# another source\n")
    assert re.fullmatch(SAID + ENDED, run(script))


def test_a_program_can_have_it_said_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    """Messages go through Python's logging."""
    script = tmp_path / "doubled.py"
    script.write_text("import logging; logging.getLogger('sdgnn').setLevel('ERROR')\n" + SCRIPT)
    assert run(script) == ""
    script.write_text(f"import logging; logging.basicConfig(filename={str(tmp_path / 'log')!r})\n" + SCRIPT)
    assert run(script) == ""
    assert "WARNING:sdgnn:" + SAID in (tmp_path / "log").read_text()


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
    assert re.fullmatch(AGAIN + ENDED, said)
    assert re.fullmatch(SAID + ENDED, run(script, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(own)))
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
