"""The speed of dynamics: rows for every run, a share that follows where the time goes, memory of one process each."""

from __future__ import annotations

import json
import time as clock
from pathlib import Path

import pytest
import torch

from sdgnn import Heun, Lattice, simulate, spins
from sdgnn.cli.commands.dynamics import Timed, measure_speed
from sdgnn.cli.config.benchmark import DynamicsBenchmarkConfig
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.schedules import Time

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "benchmarks" / "dynamics.yaml"


def test_a_row_for_every_run(tmp_path: Path) -> None:
    small = [
        "sizes=[[6,6],[12,6]]", "replicas=[2]", "steps=3", "repeats=1", f"output={tmp_path / 'benchmark'}",
        "fields={network: {model: triangular-tetrahedral}}",
    ]  # fmt: skip
    folder = measure_speed(DynamicsBenchmarkConfig.read(CONFIG, small))
    content = json.loads((folder / "benchmark.json").read_text())
    assert [(row["sites"], row["replicas"], row["field"]) for row in content["rows"]] == [
        (36, 2, "network"),
        (72, 2, "network"),
    ]
    for row in content["rows"]:
        assert row["updates_per_second"] == pytest.approx(3 * 2 * row["sites"] / row["seconds"])
        assert 0 < row["share_outside_field"] < 1
        assert 5e7 < row["peak_bytes"] < 2e9  # an interpreter with torch, and next to nothing else
    assert len((folder / "table.md").read_text().splitlines()) == 4
    assert {p.name for p in folder.iterdir()} >= {"speed.png", "speed.pdf"}


def test_the_share_is_that_of_the_field() -> None:
    """A field that sleeps 20 ms twice a step: five steps take 200 ms inside it, and nearly nothing outside."""

    class Slow(Field):
        """Sleeps."""

        lattice = Lattice.square(3, 3)

        def evaluate(self, spins: torch.Tensor, time: Time) -> FieldResult:
            clock.sleep(0.02)
            return FieldResult(spins.new_zeros(len(spins)), torch.zeros_like(spins))

    field = Timed(Slow())
    simulate(field, spins.random(field.lattice, seed=0), Heun(dt=0.1, damping=0.1), steps=5, observers=[])
    assert field.seconds >= 0.2
    assert field.seconds < 0.2 + 10 * 0.02  # sleeping may take longer, on a busy machine too
