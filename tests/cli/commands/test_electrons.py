"""Diagonalisation, the kernel polynomial method and a network side by side."""

from __future__ import annotations

import json
from pathlib import Path

from sdgnn.cli.commands.electrons import compare_solvers
from sdgnn.cli.config.benchmark import ElectronsBenchmarkConfig

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "benchmarks" / "electrons.yaml"


def test_times_and_errors_of_all_fields(tmp_path: Path) -> None:
    small = [
        "sizes=[[4,4],[6,6]]", "exact_sites=16", "kT=0.2", "replicas=2", f"output={tmp_path / 'benchmark'}",
        "kpm=[{moments: 60, vectors: 8}, {moments: 200, vectors: null, precision: float32}]",
        "truncated=[{cutoff: 1, moments: 5}, {cutoff: 3, moments: 21, precision: float32}]",
    ]  # fmt: skip
    folder = compare_solvers(ElectronsBenchmarkConfig.read(CONFIG, small))
    rows = json.loads((folder / "benchmark.json").read_text())["rows"]
    assert [(row["sites"], row["field"]) for row in rows] == [
        (16, "exact, float64"),
        (16, "KPM, 200 moments x all, float32"),
        (16, "KPM, 60 moments x 8, float64"),
        (16, "truncated, cutoff 1, 5 moments, float64"),
        (16, "truncated, cutoff 3, 21 moments, float32"),
        (16, "network, float32"),
        (36, "KPM, 200 moments x all, float32"),
        (36, "KPM, 60 moments x 8, float64"),
        (36, "truncated, cutoff 1, 5 moments, float64"),
        (36, "truncated, cutoff 3, 21 moments, float32"),
        (36, "network, float32"),
    ]
    assert [row["method"] for row in rows[:6]] == ["exact", "KPM", "KPM", "truncated", "truncated", "network"]
    assert all(row["seconds"] > 0 for row in rows)
    assert [row["sites"] for row in rows if row.get("reference")] == [16, 36]
    exact, full, noisy, _, local, network = rows[:6]
    assert "field_rmse" not in exact
    assert full["field_rmse"] < 1e-5 < 1e-2 < noisy["field_rmse"]
    assert noisy["torque_rmse"] < noisy["field_rmse"] < 3 * noisy["estimate"]
    assert full["torque_r2"] > 0.9999 > network["torque_r2"]
    assert "estimate" not in network and "estimate" not in local
    # local moments are those of the infinite crystal, which small lattices are not: all that 6 x 6 sites can tell
    near, far = rows[8:10]
    assert near["torque_r2"] < 0 < 0.5 < far["torque_r2"] < 1
    for suffix, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert (folder / f"cost.{suffix}").read_bytes().startswith(start)
    lines = (folder / "table.md").read_text().splitlines()
    assert len(lines) == 2 + len(rows)
    assert {line.count("|") for line in lines} == {10}
