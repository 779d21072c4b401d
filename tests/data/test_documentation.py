"""The documented schema is the one in the files: the page's code runs, and archived files of each version are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sdgnn.data import read
from sdgnn.data.arrays import DATASETS
from sdgnn.data.hdf5 import SCHEMA
from sdgnn.data.protocols import PROTOCOLS
from sdgnn.data.sampling import ORDERS
from sdgnn.data.solvers import build

PAGE = (Path(__file__).parents[2] / "docs" / "label-sets.md").read_text()
ARCHIVE = Path(__file__).parent / "archive"


def test_the_code_on_the_page_runs_and_its_tables_are_complete(
    run_page: Callable[..., dict], capsys: pytest.CaptureFixture[str]
) -> None:
    names = run_page("label-sets.md")
    assert "H = - sum_n t_n" in capsys.readouterr().out
    np.testing.assert_array_equal(names["spins"], names["labels"].spins)
    datasets = PAGE.split("## Datasets")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w/]+)` \| ([^|]*) \|", datasets, re.MULTILINE))
    with h5py.File("labels.h5") as file:
        for name, (axes, _, _) in DATASETS.items():
            assert rows[name] == axes.replace(" ", ", ")
        assert {f"lattice/{name}" for name in file["lattice"]} <= set(rows)
        for name in file.attrs:
            assert f"`{name}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in (*ORDERS, *PROTOCOLS))


@pytest.mark.parametrize("version", range(1, SCHEMA + 1))
def test_files_of_every_version_are_read(version: int) -> None:
    labels = read(ARCHIVE / f"schema-{version}.h5")  # checks the content hash in the file
    assert len(labels) == 3 and labels.lattice.name == "triangular" and labels.lattice.shape == (3, 2)
    again = build(labels.origin, labels.lattice)(labels.spins)
    torch.testing.assert_close(labels.field, again.field, rtol=0, atol=1e-10)
    torch.testing.assert_close(labels.energy, again.energy, rtol=0, atol=1e-10)
    if version == 1:
        assert labels.mu is None
    else:
        torch.testing.assert_close(labels.mu, again.mu, rtol=0, atol=1e-10)
