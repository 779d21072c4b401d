"""The configurations of the spin glass, with the same code on a small scale: labels, training, errors, a quench."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sdgnn import ExactField, Lattice, SDModel
from sdgnn.cli.app import app
from sdgnn.cli.config.commands import GenerateConfig
from sdgnn.common.errors import UserError
from sdgnn.data import read, read_all
from sdgnn.data.solvers import build

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "spin-glass"
SMALL = ("lattice.sites=24", "realisations=3", "workers=0")


def sdgnn(command: str, config: str, *overrides: str) -> Result:
    """The command with a shipped configuration, in this process."""
    result = CliRunner().invoke(app, [command, str(CONFIGS / f"{config}.yaml"), *overrides])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of labels, test labels, training and evaluation."""
    place = tmp_path_factory.mktemp("spin-glass")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        run = "protocols.1={protocol: snapshots, runs: 1, steps: [2], dt: 0.5, damping: 0.5, kT: 0.003}"
        sdgnn("generate", "labels", *SMALL, "protocols.0.states=12", run)
        sdgnn("generate", "test", *SMALL, "protocols.0.states=4", run)
        sdgnn("train", "train", "network={cutoff: 3, moments: 21, hidden: 4}", "training.epochs=4")
        sdgnn("evaluate", "evaluate")
    return place / "results" / "spin-glass"


def test_each_realisation_has_a_file_that_says_how_it_was_made(folder: Path) -> None:
    """Lattices and states differ from file to file, and follow from the seeds; labels are those of the exact field."""
    sets = read_all(folder / "labels")
    assert [path.name for path in sorted((folder / "labels").glob("*.h5"))] == [f"labels-00{r}.h5" for r in range(3)]
    for r, labels in enumerate(sets):
        lattice = Lattice.amorphous(24, seed=r)
        assert (labels.lattice.positions == lattice.positions).all()
        again = build(labels.origin, labels.lattice)
        assert isinstance(again, ExactField)
        assert again.model.to_dict() == labels.origin.hamiltonian
        assert float((again(labels.spins[:2]).field - labels.field[:2]).abs().max()) < 1e-10
        assert labels.origin.seed == r
    assert float((sets[0].spins[0] - sets[1].spins[0]).abs().min()) > 0


def test_the_network_beats_exchange_by_distance_on_other_positions(folder: Path) -> None:
    content = json.loads((folder / "errors" / "errors.json").read_text())
    r2 = {row["field"]: row["torque_r2"] for row in content["sets"][0]["rows"] if row["protocol"] == "all"}
    assert set(r2) == {"network", "Heisenberg, J(r) to 1.5", "Heisenberg, J(r) to 3"}
    assert r2["network"] > max(value for name, value in r2.items() if name != "network") + 0.1
    assert content["n_states"] == 3 * 5
    assert len(content["sets"][0]["labels_hash"]) == 3


def test_a_quench_is_driven_and_analysed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parents[1])
    sdgnn("simulate", "quench", "lattice.sites=40", "steps=10", "observe.spins=5")
    sdgnn("analyze", "analyze")
    found = json.loads((folder / "analysis" / "analysis.json").read_text())
    assert found["energy"]["mean"][-1] < found["energy"]["mean"][0]
    assert (folder / "analysis" / "report.html").is_file()


def test_interrupted_realisations_are_finished(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the files is missing: with --resume it is made again, the same."""
    monkeypatch.chdir(tmp_path)
    whole = (*SMALL, "protocols=[{protocol: random, states: 2}]", "output=again")
    sdgnn("generate", "labels", *whole)
    expected = read_all(tmp_path / "again")
    (tmp_path / "again" / "labels-001.h5").unlink()
    sdgnn("generate", "labels", *whole, "--resume")
    for one, other in zip(read_all(tmp_path / "again"), expected, strict=True):
        assert one.content_hash == other.content_hash


def test_the_code_on_the_page_runs(run_page: Callable[..., dict]) -> None:
    names = run_page("disorder.md")
    assert names["result"].field.shape == (2, 40, 3)
    assert names["field"].lattice is names["crystal"]


def test_seeds_of_a_realisation() -> None:
    """Realisation r adds r to the seeds of lattice, bonds and states, and to nothing else."""
    config = GenerateConfig.parse(
        {
            "lattice": {"type": "square", "size": [4, 4], "vacancies": 0.2, "seed": 5},
            "hamiltonian": {"disorder": {"width": 0.3, "seed": 7}},
            "electrons": {"kT": 0.1, "mu": 0.0},
            "protocols": [{"protocol": "random", "states": 1}],
            "realisations": 4,
            "seed": 3,
        }
    )
    one = config.realisation(2)
    assert one.hamiltonian.disorder is not None
    assert (one.lattice.seed, one.hamiltonian.disorder.seed, one.seed) == (7, 9, 5)
    model = one.hamiltonian.build(one.lattice.build())
    expected = SDModel(Lattice.square(4, 4).diluted(0.2, 7), disorder={"width": 0.3, "seed": 9})
    assert np.array_equal(model.amplitudes, expected.amplitudes)
    assert np.array_equal(model.lattice.positions, expected.lattice.positions)


def test_labels_of_disordered_bonds_come_back_from_their_file(tmp_path: Path) -> None:
    from sdgnn.data import Random, generate

    model = SDModel(Lattice.square(3, 3), exchange=2.0, disorder={"width": 0.4, "seed": 3})
    generate(ExactField(model, kT=0.2, filling=0.3), [Random(states=2)], tmp_path / "labels.h5", workers=0)
    labels = read(tmp_path / "labels.h5")
    again = build(labels.origin, labels.lattice)
    assert isinstance(again, ExactField)
    assert np.array_equal(again.model.amplitudes, model.amplitudes)
    assert float((again(labels.spins).field - labels.field).abs().max()) < 1e-10


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    clean = {
        "lattice": {"type": "square", "size": [3, 3]},
        "electrons": {"mu": 0},
        "protocols": [{"protocol": "random"}],
    }
    with pytest.raises(UserError, match=r"states"):
        GenerateConfig.parse(clean)
    clean["protocols"] = [{"protocol": "random", "states": 1}]
    with pytest.raises(UserError, match="without disorder"):
        GenerateConfig.parse({**clean, "realisations": 2})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="without label sets"):
        read_all(tmp_path / "empty")
