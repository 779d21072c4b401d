"""An installation that works is healthy; what is missing is said with what to do; what is wrong ends with status 1."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.configurations import ROOT, sdgnn

from sdgnn.cli.commands import doctor
from sdgnn.common import compiling
from sdgnn.common.extras import MODULES, PURPOSES
from sdgnn.common.version import VERSION


def test_this_installation_is_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = sdgnn("doctor")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"sdgnn {VERSION}" and lines[-1] == "healthy"
    for level in doctor.TABLE:
        (line,) = [line for line in lines if f"walk, {level}" in line]
        r2, microseconds = map(float, re.findall(r"R² (\d\.\d+).*; (\d+\.\d) µs", line)[0])
        assert doctor.LEAST_R2 < r2 < 1 and 1 < microseconds < 1000
    assert all(name in result.stdout for name in (*MODULES, *compiling.kept, "triangular-tetrahedral", str(tmp_path)))
    assert not list(tmp_path.iterdir())


ABSENT = """
import sys
sys.modules.update(dict.fromkeys(["tensorboard", "dask"]))
from sdgnn.cli.commands import doctor
for name in ("train", "cluster", "movie"):
    print(doctor.extra(name))
for name in doctor.compiling.kept:
    print(doctor.cache(name))
"""


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Packages that are not there, and folders that cannot be written; files in the way keep root out, too."""
    (tmp_path / "way").write_text("")
    places = {"NUMBA_CACHE_DIR": str(tmp_path / "way")}
    said = subprocess.run(
        [sys.executable, "-c", ABSENT], env={**os.environ, **places}, capture_output=True, text=True, check=True
    ).stdout
    assert said.count("pip install") == 2 and "pip install 'sdgnn[train]'" in said and "'sdgnn[cluster]'" in said
    assert said.count("compiled at every start") == len(compiling.kept) and "set NUMBA_CACHE_DIR" in said
    assert set(PURPOSES) == set(MODULES)


def test_what_keeps_it_from_working_is_wrong() -> None:
    """Loops that compute something else, and models that cannot be read; slow ones are only slow."""
    good, slow, other = (doctor.judged("fast", *figures, 1.0) for figures in ((0.995, 17), (0.995, 80), (0.9, 17)))
    assert (good.state, slow.state, other.state) == ("ok", "note", "wrong")
    assert doctor.judged("fast", float("nan"), 17, 1.0).state == "wrong"
    assert not good.fix and "AVX-512" in slow.fix and "numba" in other.fix


def test_a_damaged_installation_ends_with_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipped model cut short on the disk."""
    from sdgnn.nn.storage import load as storage

    for file in storage.SHIPPED.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-100])
    monkeypatch.setattr(storage, "SHIPPED", tmp_path)
    result = sdgnn("doctor")
    assert result.exit_code == 1
    assert re.search(r"^wrong  models .*\n +install the package again$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1].startswith("1 of these must be mended")


def test_processors_and_threads() -> None:
    with_avx512 = doctor.processor("zen5", {"avx": True, "avx2": True, "avx512f": True})
    without = doctor.processor("zen2", {"avx": True, "avx2": True, "avx512f": False})
    assert with_avx512.state == "ok" and "AVX-512" in with_avx512.text
    assert without.state == "note" and "AVX2" in without.text and "AVX-512" not in without.text
    assert "no vector" in doctor.processor("unknown", {}).text
    assert doctor.threads(2, 2).state == "ok" and "OMP_NUM_THREADS=2" in doctor.threads(3, 2).fix


def test_times_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs" / "truncated.md").read_text()
    rows = re.findall(r"^\| triangular \| (\w+) \| 48 x 48 \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|", page, re.MULTILINE)
    assert {level: round(float(time), 1) for level, time in rows} == doctor.TABLE
