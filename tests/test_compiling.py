"""Compiled loops: said when they are made, read from disk afterwards, made again when a source changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from sdgnn.compiling import compiled

@compiled(__file__)
def double(x):
    return 2 * x

assert double(2.0) == 4.0 and double(3.0) == 6.0
"""
SAID = "sdgnn: compiling for this processor, some seconds, once"


def run(script: Path, **environment: str) -> str:
    paths = {"NUMBA_CACHE_DIR": str(script.parent / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
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
