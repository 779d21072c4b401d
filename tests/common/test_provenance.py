"""Provenance names what made a result, in plain values and without names of people or hosts."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

import sdgnn
from sdgnn.common.provenance import commit, now, provenance


def test_provenance_is_plain_and_true() -> None:
    record = provenance()
    assert json.loads(json.dumps(record)) == record
    assert record["sdgnn"] == sdgnn.__version__
    assert record["libraries"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert record["machine"]["cores"] == os.cpu_count()


def test_the_date_is_utc_to_the_second() -> None:
    age = datetime.now(UTC) - datetime.fromisoformat(now())
    assert 0 <= age.total_seconds() < 5


def test_the_commit_is_that_of_the_source_tree() -> None:
    root = Path(sdgnn.__file__).parents[1]
    if not (root / ".git").exists():
        pytest.skip("not a git clone")
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    found = commit()
    assert found is not None
    assert re.fullmatch(rf"{head}(-modified)?", found)


def test_no_names_of_people_or_hosts() -> None:
    text = json.dumps(provenance())
    assert f'"{socket.gethostname()}"' not in text and f'"{getpass.getuser()}"' not in text
    assert str(Path.home()) not in text
