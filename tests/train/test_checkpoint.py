"""Checkpoints give back what was put in, bit for bit, and never run code."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from helpers.limits import full_disk
from safetensors.torch import save_file

from sdgnn.common.errors import UserError
from sdgnn.train.checkpoint import read, write

TENSORS = {
    "double": torch.tensor([[1.0, -math.inf], [5e-324, 0.1]], dtype=torch.float64),
    "scalar": torch.tensor(3.0),
    "whole": torch.arange(5),
    "flag": torch.tensor([True, False]),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "empty": torch.zeros(0, 3),
}


def test_round_trip(tmp_path):
    header = {"scores": [0.1, 1 / 3, -2.0], "seconds": 1e-300}
    write(tmp_path / "c.safetensors", TENSORS, header)
    tensors, found = read(tmp_path / "c.safetensors")
    assert found == header and sorted(tensors) == sorted(TENSORS)
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype and torch.equal(tensors[name], value)


def test_tensors_that_share_memory_are_stored_apart(tmp_path):
    whole = torch.arange(4.0)
    write(tmp_path / "c", {"a": whole, "b": whole[:2], "c": whole}, {})
    back, _ = read(tmp_path / "c")
    back["a"][0] = 9
    assert back["b"].tolist() == [0, 1] and back["c"].tolist() == [0, 1, 2, 3]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "c"
    write(path, {}, {"a": 1})
    with pytest.raises(TypeError):
        write(path, {}, {"a": object()})
    assert read(path) == ({}, {"a": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


class Bomb:
    """Unpickling this ends the test run with an error."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_pickles_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "c"
    for content in (pickle.dumps(Bomb()), b"", b"\x08" + bytes(7) + b"not json"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as a training checkpoint"):
            read(path)
    torch.save({"a": 1}, path)  # a zip archive with a pickle in it
    with pytest.raises(UserError):
        read(path)
    with pytest.raises(UserError):
        read(tmp_path / "missing")


def test_a_checkpoint_of_another_format_says_what_to_do(tmp_path):
    save_file({"state": torch.zeros(1)}, tmp_path / "c", metadata={"format": "1", "tree": "{}"})
    with pytest.raises(UserError, match=r"format 1.*the version that began it"):
        read(tmp_path / "c")


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "c"
    write(path, {"a": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="cannot be read"):
        read(path)


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path) -> None:
    path = tmp_path / "last.safetensors"
    write(path, {}, {"epoch": 1})
    with full_disk(1000), pytest.raises(UserError, match="could not be written: file too large"):
        write(path, {"weights": torch.zeros(1000)}, {"epoch": 2})
    assert read(path) == ({}, {"epoch": 1}) and [p.name for p in tmp_path.iterdir()] == [path.name]
