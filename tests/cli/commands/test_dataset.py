"""A data set as a stranger has it: card, checksums and metadata are true, and its labels come out of numpy again."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from scipy.optimize import brentq
from scipy.special import expit

from sdgnn.cli.commands.dataset import make_dataset
from sdgnn.cli.config.dataset import DatasetConfig
from sdgnn.common.errors import UserError
from sdgnn.data import generate, read, read_all, read_each
from sdgnn.data.dataset import generate_dataset
from sdgnn.data.generate import Wanted, make_parts, open_parts

ROOT = Path(__file__).parents[3]
CONFIG = """
creators: ["Doe, Jane", The group]
count: 8
held_out: 2
workers: 0
lattices:
  - lattice: {type: kagome, size: [2, 2]}
    twists: [2, 3]
    protocols:
      - {protocol: random, states: 2}
      - {protocol: noisy_order, order: order120, strengths: [0.1, 0.3], states: 1}
  - {lattice: {type: chain, size: [6]}, protocols: [{protocol: random, states: 3}]}
"""


def config(folder: Path) -> DatasetConfig:
    return DatasetConfig.parse({**yaml.safe_load(CONFIG), "output": folder})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(config(tmp_path_factory.mktemp("made") / "set"))


def relabelled(one: h5py.Group, state: int) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Energy, field, density and mu of a stored state by dense diagonalisation of every boundary phase, in numpy."""
    positions, cell, spins = one["lattice/positions"][:], one["lattice/cell"][:], one["spins"][state]
    J, kT, filling = json.loads(one.attrs["hamiltonian"])["exchange"], one.attrs["kT"], one.attrs["filling"]
    twists, n = json.loads(one.attrs["solver"])["twists"], len(positions)
    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    images = np.array(list(itertools.product((-1, 0, 1), repeat=len(cell))))
    bonds = [
        (i, j, image)
        for image in images
        for i, j in itertools.product(range(n), repeat=2)
        if abs(np.linalg.norm(positions[j] + image @ cell - positions[i]) - 1) < 1e-6
    ]
    levels, states = [], []
    for m in itertools.product(*map(range, twists)):
        H = np.zeros((n, 2, n, 2), complex)
        for i, j, image in bonds:
            H[i, :, j, :] -= np.eye(2) * np.exp(2j * np.pi * image @ (np.array(m) / twists))
        for i in range(n):
            H[i, :, i, :] -= J * np.einsum("a,abc->bc", spins[i], sigma)
        e, v = np.linalg.eigh(H.reshape(2 * n, 2 * n))
        levels.append(e), states.append(v.reshape(n, 2, -1))
    e, v, phases = np.concatenate(levels), np.concatenate(states, axis=2), len(levels)
    electrons = 2 * n * filling * phases
    mu = brentq(lambda mu: expit((mu - e) / kT).sum() - electrons, e.min() - 40 * kT, e.max() + 40 * kT, xtol=1e-13)
    f = expit((mu - e) / kT)
    omega = -kT * np.logaddexp(0, (mu - e) / kT).sum()
    field = J * np.einsum("k,ibk,abc,ick->ia", f, v.conj(), sigma, v).real / phases
    return (omega + mu * electrons) / phases, field, np.einsum("k,ibk->i", f, abs(v) ** 2) / phases, mu


@pytest.mark.parametrize("name", ["000-kagome", "007-chain"])
def test_labels_come_out_of_numpy_again(made: Path, name: str) -> None:
    """An independent route from what is in the file alone, to 1e-9: the roundings of some hundred levels."""
    file = next(path for path in sorted(made.glob("*.h5")) if name in h5py.File(path))
    with h5py.File(file) as sets:
        one = sets[name]
        for state in range(len(one["spins"])):
            energy, field, density, mu = relabelled(one, state)
            assert one["energy"][state] == pytest.approx(energy, abs=1e-9)
            assert one["mu"][state] == pytest.approx(mu, abs=1e-9)
            np.testing.assert_allclose(one["field"][state], field, rtol=0, atol=1e-9)
            np.testing.assert_allclose(one["density"][state], density, rtol=0, atol=1e-9)


def card_rows(made: Path, heading: str) -> list[list[str]]:
    """Cells of the table below a heading of the card."""
    part = (made / "DATA_CARD.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_the_card_says_what_is_in_the_files(made: Path) -> None:
    """Hamiltonians to the last digit, schema, numbers and hashes; held out is every second one of a lattice."""
    hamiltonians = {row[0]: row[1:] for row in card_rows(made, "Hamiltonians")}
    files = {row[0]: row[1:] for row in card_rows(made, "Files")}
    assert len(hamiltonians) == 8 and set(files) == {path.name for path in made.glob("*.h5")}
    schema = {row[0]: row[1:] for row in card_rows(made, "Schema")}
    for file, (count, states, _, digest) in files.items():
        assert hashlib.sha256((made / file).read_bytes()).hexdigest() == digest
        with h5py.File(made / file) as sets:
            assert len(sets) == int(count)
            assert sum(len(one["spins"]) for one in sets.values()) == int(states)
            for name, one in sets.items():
                J, kT, filling, n, seed, split = hamiltonians.pop(name)
                assert float(J) == json.loads(one.attrs["hamiltonian"])["exchange"]
                assert (float(kT), float(filling), int(seed)) == tuple(one.attrs[k] for k in ("kT", "filling", "seed"))
                assert int(n) == len(one["spins"])
                assert (split == "held out") == ("held-out" in file) == (int(name[:3]) // 2 % 2 == 1)
                stored = {*one, *(f"lattice/{path}" for path in one["lattice"])} - {"lattice"}
                assert stored == set(schema)
                assert all(schema[path][1] == str(one[path].dtype) for path in stored if path != "protocol")
    assert not hamiltonians


def test_the_reader_on_the_card_runs_without_this_package(made: Path) -> None:
    card = (made / "DATA_CARD.md").read_text()
    reader, ours = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(reader.split("\n\n")[1].splitlines()) + 2 <= 10, "ten lines"
    alone = f"import sys\nsys.modules['sdgnn'] = None\n{reader}assert field.shape == spins.shape\n"
    done = subprocess.run([sys.executable, "-c", alone], cwd=made, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = next(iter(card_rows(made, "Hamiltonians")))
    assert done.stdout.startswith(f"{first[0]} (4, 12, 3) J {float(first[1]):.3f}")
    code = ours.replace('"."', f'"{made}"').replace('read_each("', f'read_each("{made}/')
    names: dict = {}
    exec(compile(code, "card", "exec"), names)
    assert len(names["labels"]) == 4


def test_checksums_name_every_file(made: Path) -> None:
    lines = [line.split("  ") for line in (made / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {p.name for p in made.iterdir() if p.name[0] != "."} - {"SHA256SUMS"}
    assert all(hashlib.sha256((made / name).read_bytes()).hexdigest() == digest for digest, name in lines)
    if shutil.which("sha256sum"):
        assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made, capture_output=True).returncode == 0


def test_metadata_are_those_of_their_schemas(made: Path) -> None:
    """What DataCite 4 and CFF 1.2.0 require, but for the archive's identifier and publisher."""
    metadata = json.loads((made / "datacite.json").read_text())
    assert {"types", "titles", "creators", "publicationYear"} <= metadata.keys()
    assert metadata["creators"][0] == {
        "name": "Doe, Jane", "nameType": "Personal", "familyName": "Doe", "givenName": "Jane"
    }  # fmt: skip
    assert metadata["creators"][1]["nameType"] == "Organizational"
    assert metadata["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"
    cited = yaml.safe_load((made / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys() and cited["type"] == "dataset"
    assert cited["authors"] == [{"family-names": "Doe", "given-names": "Jane"}, {"name": "The group"}]
    assert cited["license"] == "CC-BY-4.0"


def test_sdgnn_reads_all_or_one(made: Path, tmp_path: Path) -> None:
    """And a set of the data set is the one that ``generate`` makes of its Hamiltonian, protocols and seed."""
    sets = read_all(made)
    assert sorted(len(labels) for labels in sets) == [3] * 4 + [4] * 4
    assert [labels.lattice.name for labels in read_each(made / "kagome-held-out.h5")] == ["kagome"] * 2
    member = next(one for one in config(made).members() if one.name == "003-chain")
    alone = generate(member.field, member.protocols, tmp_path / "x.h5", seed=member.seed, workers=0)
    assert alone.content_hash == read(made, "003-chain").content_hash


def test_parts_that_are_finished_are_kept(made: Path, tmp_path: Path) -> None:
    """Half of the Hamiltonians are labelled, and the process ends; the files are those of one that did not."""
    members = list(config(tmp_path).members())
    wanted = {m.name: Wanted.of(m.field, m.protocols, m.seed, 1, f"{m.name}/") for m in members}
    parts = tmp_path / "parts"
    open_parts(parts, {name: one.settings for name, one in wanted.items()}, resume=False)
    make_parts(parts, list(wanted.values())[:4], "labels", 0, 1, None, False)
    times = {path: path.stat().st_mtime_ns for path in parts.rglob("*.h5")}
    assert len(times) == 6, "a part for each protocol: two on kagome, one on the chain"
    with pytest.raises(UserError, match="interrupted generation"):
        generate_dataset(members, tmp_path, workers=0)
    make_parts(parts, list(wanted.values()), "labels", 0, 1, None, False)
    assert times.items() <= {path: path.stat().st_mtime_ns for path in parts.rglob("*.h5")}.items()
    generate_dataset(members, tmp_path, workers=0, resume=True)
    assert not parts.exists()
    assert [s.content_hash for s in read_each(tmp_path)] == [s.content_hash for s in read_each(made)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    generate_dataset(members, tmp_path, workers=0, resume=True)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"creators": []}, "creators"),
        ({"creators": [" "]}, "names, as"),
        ({"held_out": 1}, "held_out"),
        ({"lattices": yaml.safe_load(CONFIG)["lattices"][:1] * 2}, "each type once"),
        ({"hamiltonians": {"exchange": [3, 2]}}, "the lower one first"),
        ({"hamiltonian": {}}, "did you mean hamiltonians"),
        ({"lattices": [{"size": [2, 2]}]}, r"lattices\.0\.size; did you mean lattices\.0\.lattice\.size\?"),
    ],
)
def test_mistakes_are_refused(change: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        DatasetConfig.parse({**yaml.safe_load(CONFIG), **change})


def test_the_shipped_configuration_is_that_of_the_benchmark() -> None:
    """Lattices, boundary phases and Hamiltonians on which docs/truncated.md judges fields without training."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from truncated_labels import SIZES, drawn
    finally:
        sys.path.pop(0)
    shipped = DatasetConfig.read(ROOT / "configs" / "dataset.yaml")
    for number, member in enumerate(itertools.islice(shipped.members(), 12)):
        name, electrons, _, _ = drawn(number, (1.0, 8.0))
        assert member.name == f"{number:03d}-{name}" and member.field.twists == SIZES[name][1]
        assert member.field.lattice.to_dict() == electrons.lattice.to_dict()
        assert member.field.model.to_dict() == electrons.model.to_dict()
        assert (member.field.kT, member.field.filling) == (electrons.kT, electrons.filling)
    assert sum("held-out" in member.file for member in shipped.members()) == 24
