"""Files are complete or absent, whatever interrupts the writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sdgnn.cli import app
from sdgnn.errors import UserError
from sdgnn.files import atomic_path, content_hash, file_hash, where_else


def test_content_appears_at_once_and_replaces_the_old(tmp_path: Path) -> None:
    target = tmp_path / "new" / "numbers.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("first")
        assert not target.exists() and temporary.parent == target.parent and temporary.suffix == ".txt"
    with atomic_path(target) as temporary:
        temporary.write_text("second")
        assert target.read_text() == "first"
    assert target.read_text() == "second"
    assert [p.name for p in target.parent.iterdir()] == ["numbers.txt"]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_text("old")

    def interrupted() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["numbers.txt"] and target.read_text() == "old"


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    with atomic_path(tmp_path / "atomic") as temporary:
        temporary.write_text("")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"), atomic_path(tmp_path / "file" / "labels.h5"):
        pass


KILLED = """
import os, signal, sys
from sdgnn.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""

FULL = """
import resource, sys
from sdgnn.files import atomic_path
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(bytes(2000))
"""


def test_a_kill_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_a_size_limit_gives_a_clear_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL, str(target)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "could not be written: file too large" in done.stderr and "UserError" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["numbers.txt"] and target.read_text() == "old"


def test_content_hash_tells_numbers_types_shapes_and_order_apart() -> None:
    a, b = np.arange(6.0), np.arange(3)
    assert content_hash(a, b) == content_hash(a.copy(), b.copy())
    assert content_hash(a) == content_hash(a.astype(">f8"))
    others = [(b, a), (a.reshape(2, 3), b), (a.astype(np.float32), b), (a + 1e-16 * (a == 0), b), (a, None), (a, "0")]
    assert len({content_hash(a, b), *(content_hash(*other) for other in others)}) == len(others) + 1


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the standard's own test vector, FIPS 180-2
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_hash(tmp_path / "abc") == expected


def test_a_missing_file_is_answered_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest name; else what lies beside it, also where the folder is missing; else that nothing does."""
    monkeypatch.chdir(tmp_path)
    assert where_else("nowhere.yaml", "*.yaml") == (
        f"nothing of that kind is in {tmp_path}: check the path and the folder you are in"
    )
    for k in range(7):
        (tmp_path / f"labels-{k}.yaml").touch()
    assert where_else("lables-3.yaml", "*.yaml") == "did you mean labels-3.yaml?"
    listed = f"in {tmp_path} there are {', '.join(f'labels-{k}.yaml' for k in range(5))} and 2 more"
    assert where_else("zzz/qqq.yaml", "*.yaml") == listed


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "nowhere.yaml"],
        ["train", "train.yaml", "data=[nowhere.h5]"],
        ["evaluate", "nowhere", "labels.h5"],
        ["export", "nowhere", "--to", "a.ovf"],
    ],
)
def test_commands_say_what_to_do_about_missing_files(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "train.yaml" in arguments:
        (tmp_path / "train.yaml").write_text("{}")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr and "check the path" in result.stderr
