"""Checkpoints give back what was put in, bit for bit, and never run code."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import full_disk

from sdgnn.common.errors import UserError
from sdgnn.train.checkpoint import SafetensorsIO, read

TENSORS = {
    "double": torch.tensor([[1.0, -math.inf], [5e-324, 0.1]], dtype=torch.float64),
    "scalar": torch.tensor(3.0),
    "whole": torch.arange(5),
    "flag": torch.tensor([True, False]),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "empty": torch.zeros(0, 3),
}
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
keys = st.one_of(st.integers(), st.text())
trees = st.recursive(
    st.one_of(plain, st.sampled_from(list(TENSORS.values()))),
    lambda t: st.one_of(st.lists(t), st.tuples(t, t), st.dictionaries(keys, t)),
    max_leaves=12,
)


def same(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), trees))
def test_round_trip(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    SafetensorsIO().save_checkpoint(tree, path)
    assert same(SafetensorsIO().load_checkpoint(path), tree)


def test_tensors_that_share_memory_are_stored_apart(tmp_path):
    whole = torch.arange(4.0)
    SafetensorsIO().save_checkpoint({"a": whole, "b": whole[:2], "c": whole}, tmp_path / "c")
    back = read(tmp_path / "c")
    back["a"][0] = 9
    assert back["b"].tolist() == [0, 1] and back["c"].tolist() == [0, 1, 2, 3]


def test_values_that_are_not_plain_are_named(tmp_path):
    with pytest.raises(TypeError, match=r"checkpoint.loops.1 is a set"):
        SafetensorsIO().save_checkpoint({"loops": [0, {1}]}, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "c"
    SafetensorsIO().save_checkpoint({"a": 1}, path)
    with pytest.raises(TypeError):
        SafetensorsIO().save_checkpoint({"a": object()}, path)
    assert read(path) == {"a": 1}
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


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "c"
    SafetensorsIO().save_checkpoint({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="cannot be read"):
        read(path)


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path) -> None:
    path = tmp_path / "last.safetensors"
    SafetensorsIO().save_checkpoint({"epoch": 1}, path)
    with full_disk(1000), pytest.raises(UserError, match="could not be written: file too large"):
        SafetensorsIO().save_checkpoint({"epoch": 2, "weights": torch.zeros(1000)}, path)
    assert read(path) == {"epoch": 1} and [p.name for p in tmp_path.iterdir()] == [path.name]
