"""Several label sets in one file: round trip by name, one after another, and refusals that name what is there."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.small_labels import some

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, read, read_all, read_each, write, write_all
from sdgnn.data.drawn import DrawnHamiltonians

LINE = Lattice.chain(6)
STATES = spins.random(LINE, 2, seed=1)
SETS = {"007-square": some(), "000-chain": LabelSet(LINE, STATES, 2 * STATES)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_all(SETS, tmp_path / "both.h5")
    return tmp_path / "both.h5"


def test_every_set_comes_back_by_its_name(file: Path) -> None:
    """Also from the folder, and one after another in the order of the names."""
    for name, labels in SETS.items():
        assert read(file, name).content_hash == labels.content_hash
        assert read(file.parent, name).content_hash == labels.content_hash
    expected = [SETS[name].content_hash for name in sorted(SETS)]
    assert [labels.content_hash for labels in read_each(file)] == expected
    assert [labels.content_hash for labels in read_all(file)] == expected


def test_a_folder_is_read_file_by_file(file: Path) -> None:
    write(SETS["000-chain"], file.parent / "alone.h5")
    assert [len(labels) for labels in read_each(file.parent)] == [2, 2, 5]
    assert read(file.parent, "007-square").content_hash == SETS["007-square"].content_hash


def test_groups_have_the_schema_of_a_label_set(file: Path) -> None:
    """Those of another file of one set, attribute by attribute and dataset by dataset."""
    write(SETS["007-square"], file.parent / "one.h5")
    with h5py.File(file) as several, h5py.File(file.parent / "one.h5") as one:
        group = several["007-square"]
        assert dict(group.attrs) == dict(one.attrs)
        assert set(group) == set(one)
        np.testing.assert_array_equal(group["field"][:], one["field"][:])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, r"no name of one of 2 label sets; allowed: name='000-chain', '007-square'; sdgnn.data.read_each"),
        ("007-squar", r"name '007-squar' .*did you mean '007-square'\?"),
        ("lattice/positions", r"name 'lattice/positions'"),
    ],
)
def test_names_that_are_missing_or_wrong(file: Path, name: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(file, name)


def test_a_file_of_one_set_has_no_names(tmp_path: Path) -> None:
    write(SETS["000-chain"], tmp_path / "one.h5")
    with pytest.raises(UserError, match=r"name 'x' in a file with one label set"):
        read(tmp_path / "one.h5", "x")
    np.savez(tmp_path / "one.npz", spins=STATES, field=STATES, lattice="chain", shape=[6])
    assert len(read(tmp_path / "one.npz")) == 2
    with pytest.raises(UserError, match=r"name 'x' of an \.npz"):
        read(tmp_path / "one.npz", "x")


@pytest.mark.parametrize("name", ["", "a/b", ".parts"])
def test_names_that_no_group_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="label set name"):
        write_all({name: SETS["000-chain"]}, tmp_path / "x.h5")
    with pytest.raises(UserError, match="no label sets"):
        write_all({}, tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


def test_damage_in_one_group_is_found(file: Path) -> None:
    with h5py.File(file, "r+") as several:
        several["000-chain/field"][0, 0, 0] += 1e-12
    assert len(read(file, "007-square")) == 5
    with pytest.raises(UserError, match="content_hash"):
        read(file, "000-chain")


def test_hamiltonians_are_drawn_as_said() -> None:
    """Inside the limits; logarithms of J and kT, and fillings, have the mean of uniform numbers, to 4 of its errors."""
    drawn = DrawnHamiltonians(exchange=(0.5, 2.0))
    found = np.array([drawn.draw(drawn.generator(number)) for number in range(2000)])
    limits = np.array([drawn.exchange, drawn.kT, drawn.filling])
    assert (found >= limits[:, 0]).all() and (found <= limits[:, 1]).all()
    found[:, :2], limits[:2] = np.log(found[:, :2]), np.log(limits[:2])
    error = (limits[:, 1] - limits[:, 0]) / np.sqrt(12 * len(found))
    assert (np.abs(found.mean(0) - limits.mean(1)) < 4 * error).all()
    assert drawn.draw(drawn.generator(3)) == drawn.draw(drawn.generator(3))
    with pytest.raises(UserError, match="the lower one first"):
        DrawnHamiltonians(kT=(0.2, 0.1))
