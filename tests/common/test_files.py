"""Files are complete or absent, whatever interrupts the writing."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np
import pytest
from helpers.limits import full_disk
from typer.testing import CliRunner

import sdgnn
from sdgnn import Heun, Lattice
from sdgnn.cli.app import app
from sdgnn.common.errors import UnlockedFolderWarning, UserError
from sdgnn.common.files import atomic_path, content_hash, file_hash, where_else
from sdgnn.common.locking import sole_writer
from sdgnn.common.steady_file import SteadyFile
from sdgnn.dynamics import observers
from sdgnn.dynamics.recorder import Recorder
from sdgnn.dynamics.state import State


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
from sdgnn.common.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""

FULL = """
import resource, sys
from sdgnn.common.files import atomic_path
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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Where results lie on another disk, reached by links."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "old.txt").write_text("old")
    link, ahead = tmp_path / "link.txt", tmp_path / "ahead.txt"
    link.symlink_to(Path("disk") / "old.txt")
    ahead.symlink_to(Path("disk") / "new" / "new.txt")
    for path in (link, ahead):
        with atomic_path(path) as temporary:
            temporary.write_text("now")
        assert path.is_symlink() and path.read_text() == "now"
    assert sorted(p.name for p in (tmp_path / "disk").rglob("*.txt")) == ["new.txt", "old.txt"]


@pytest.mark.parametrize("answer", [errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.EPERM])
def test_file_systems_without_permissions_and_flushes_are_written(
    answer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(os, "chmod", refused)
    monkeypatch.setattr(os, "fsync", refused)
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    broken = OSError(errno.EIO, os.strerror(errno.EIO))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(broken))
    with pytest.raises(OSError, match="Input/output error"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("lost")
    assert (tmp_path / "a.txt").read_text() == "whole", "a disk that fails is another matter"


@pytest.mark.parametrize("answer", [errno.ENOTSUP, errno.ENOLCK])
def test_file_systems_without_locks_are_said(answer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", refused)
    with (
        pytest.warns(UnlockedFolderWarning, match="without locks .*let nothing else write there"),
        sole_writer(tmp_path),
    ):
        (tmp_path / "a.txt").write_text("")


@pytest.mark.parametrize("size", [0, 100, 3000, 20_000, 100_000])
def test_hdf5_outlives_a_full_disk(size: int, tmp_path: Path) -> None:
    """HDF5 itself ends the process when the file is closed; the limits stop superblock, groups, numbers and the end."""
    numbers = np.arange(20_000.0)
    with full_disk(size):
        stream = SteadyFile(tmp_path / "a.h5")
        with h5py.File(stream, "w") as file:
            for name in "abc":
                file.create_group(name).create_dataset("numbers", data=numbers, chunks=(1000,))
        with pytest.raises(OSError, match="File too large"):
            stream.finish()
    stream = SteadyFile(tmp_path / "a.h5")
    with h5py.File(stream, "w") as file:
        file["numbers"] = numbers
    stream.finish()
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["numbers"], numbers)


def test_references_are_read_again_from_a_full_disk(tmp_path: Path) -> None:
    """As HDF5 reads a list of references to make it longer: whatever lies in memory else is taken for an address."""
    with full_disk(10):
        stream = SteadyFile(tmp_path / "a")
        stream.write(b"0123456789ab")
        stream.write(b"cd")
        stream.write(bytes(100_000))
        stream.seek(13)
        stream.write(b"!!")
        buffer = bytearray(b"?" * 10)
        stream.seek(8)
        assert stream.readinto(buffer) == 10 and buffer == b"89abc!!\0\0\0"
        assert stream.tell() == 18 and stream.seek(0, os.SEEK_END) == 100_014
        with pytest.raises(OSError, match="File too large"):
            stream.finish()
    stream = SteadyFile(tmp_path / "a")
    stream.write(b"01")
    stream.seek(1)
    assert stream.readinto(buffer) == 10 and buffer == b"1" + bytes(9)
    stream.finish()


def test_a_full_disk_at_the_start_of_a_run_is_the_users_error(tmp_path: Path) -> None:
    field = sdgnn.fields.Heisenberg(Lattice.chain(4), [1.0])
    state = State(sdgnn.spins.random(field.lattice, 1, seed=0), time=0.0, step=0, seed=0, streams=(0,))
    recorder = Recorder(tmp_path / "t.zarr", field, Heun(dt=0.1, damping=0.1), [observers.energy(1)])
    with full_disk(10), pytest.raises(UserError, match="the trajectory could not be written: file too large; free"):
        recorder.begin(state, 2)
