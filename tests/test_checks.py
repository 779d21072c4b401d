"""The static checks find what they are there for: none is switched off for whole files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_an_undefined_name_is_found_beside_shapes() -> None:
    """In code and in annotations with jaxtyping's shapes, which are strings that are no names."""
    pytest.importorskip("ruff")
    code = (
        "from jaxtyping import Float\nfrom torch import Tensor\n\n\n"
        'def f(x: Float[Tensor, "replica site"], y: Float[Missing, " site"]) -> Float[Tensor, " site"]:\n'
        "    return x[0] + y + absent\n"
    )
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=sdgnn/new.py", "-"]
    said = subprocess.run(command, input=code, capture_output=True, text=True, cwd=ROOT).stdout
    assert re.findall(r"(\w\d+) Undefined name `(\w+)`", said) == [("F821", "Missing"), ("F821", "absent")]
    assert "Found 2 errors" in said


def test_no_file_is_left_out() -> None:
    off = re.compile(r"^\s*# *(mypy: ignore-errors|ruff: noqa|flake8: noqa|type: ignore)", re.MULTILINE)
    files = [p for folder in ("sdgnn", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    assert [str(p.relative_to(ROOT)) for p in files if off.search(p.read_text())] == []
