"""The command demo: its report and folders, and its lattices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.configurations import CONFIGS, sdgnn

from sdgnn.common.errors import UserError
from sdgnn.data import read
from sdgnn.dynamics import open_trajectory
from sdgnn.nn import load
from sdgnn.train import judge

SMALL_DEMO = (
    "workers=0", "lattice.size=[4,4]", "electrons.twists=null", "protocols.0.states=10", "protocols.1.runs=4",
    "protocols.1.steps=[1,2]", "larger.lattice.size=[6,6]", "larger.protocols.0.states=1", "calibrated=2",
    "larger.protocols.1.steps=[1]", "network.hidden=2", "training.epochs=1", "quench.lattice.size=[8,8]",
    "beside.lattice.size=[4,4]", "beside.steps=2", "beside.every=1",
    "quench.steps=4", "quench.observe.spins=2", "quench.observe.structure_factor=2", "output=demo",
)  # fmt: skip


def test_the_demo_makes_its_report(folder: Path) -> None:
    """The whole pipeline on lattices of a few sites, and again from its folder, where all but the report is read."""
    result = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "demo"
    report = (folder / "demo/report.html").read_text()
    assert report.count("data:image/png;base64,") >= 8
    order = [report.index(text) for text in ('class="answer"', "parity.svg", "beside.svg", "<h2", "<table")]
    assert order == sorted(order), "the answer, its figures, then tables"
    assert "<link" not in report
    assert "<script" not in report
    for name in ("labels/labels.h5", "larger/labels.h5", "model/model.safetensors", "numbers.json", "config.yaml"):
        assert (folder / "demo" / name).exists()
    assert open_trajectory(folder / "demo/quench").sizes["replica"] >= 2
    exact, network = (open_trajectory(folder / "demo/beside" / name) for name in ("exact-diagonalisation", "trained"))
    assert (exact["spins"][0] == network["spins"][0]).all() and exact.sizes["time"] == 3
    assert list((folder / "demo/model/tensorboard").iterdir())
    numbers = json.loads((folder / "demo/numbers.json").read_text())
    rows = {row["field"]: row for row in numbers["fields"]}
    assert numbers["beside"]["correlation"][0] == pytest.approx(1.0)
    assert list(rows) == [
        "exact diagonalisation", "universal, fast", "universal, accurate", "calibrated", "trained",
        "Heisenberg, 1 shell", "Heisenberg, 5 shells",
    ]  # fmt: skip
    assert all(row["microseconds_per_site"] > 0 for row in rows.values())
    assert rows["universal, fast"]["labels"] == 0 < rows["calibrated"]["labels"] < rows["trained"]["labels"]
    assert {one["family"] for one in numbers["calibration"]["families"]} == {"random", "snapshot from random"}
    for row in numbers["errors"]["larger"]:
        if row["protocol"] == "all":
            assert rows[row["field"]]["torque_r2"]["larger"] == row["torque_r2"]
            assert f"{row['torque_r2']:.4f}" in report
    # the larger lattice's field of the saved models is the one that was judged
    larger = read(folder / "demo/larger/labels.h5")
    for name, place in (("calibrated", "calibrated"), ("trained", "model")):
        found = judge(load(folder / "demo" / place).on(larger.lattice), larger).torque_r2
        assert found == pytest.approx(rows[name]["torque_r2"]["larger"], abs=1e-6)

    again = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO)
    assert again.exit_code == 2
    assert "already holds something" in again.stderr
    (folder / "demo/report.html").unlink()
    weights = (folder / "demo/model/model.safetensors").read_bytes()
    resumed = sdgnn("demo", str(CONFIGS / "demo.yaml"), *SMALL_DEMO, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (folder / "demo/model/model.safetensors").read_bytes() == weights
    after = json.loads((folder / "demo/numbers.json").read_text())
    assert after["errors"] == numbers["errors"]
    assert after["quench"] == numbers["quench"]
    assert (folder / "demo/report.html").is_file()


def test_the_demo_takes_one_family_of_lattices() -> None:
    """The larger lattice and that of the quench are of the labels' type, which is said once."""
    from sdgnn.cli.config.training import DemoConfig

    config = DemoConfig.read(CONFIGS / "demo.yaml", ["lattice.type=square", "electrons.filling=0.485"])
    assert (config.larger.lattice.type, config.larger.lattice.size) == ("square", (24, 24))
    assert (config.quench.lattice.type, config.quench.lattice.size) == ("square", (64, 64))
    larger = config.of_larger()
    assert larger.electrons.filling == 0.485
    assert larger.seed != config.seed
    assert larger.protocols[0].samples == config.larger.protocols[0].states
    with pytest.raises(UserError, match="did you mean 'random'"):
        DemoConfig.read(CONFIGS / "demo.yaml", ["larger.protocols.0.protocol=randm"])
