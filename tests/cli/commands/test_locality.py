"""The command locality: table, numbers and figure; states of a run; what does not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers.configurations import sdgnn

LOCALITY = """
lattice: {type: triangular, size: [4, 4]}
electrons: {kT: 0.2, filling: 0.25}
states:
  - {kind: random}
  - {kind: noisy_order, order: tetrahedral, strength: 0.3}
environments: 3
redraws: 2
output: floors
"""


def test_locality_writes_table_numbers_and_figure(folder: Path) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    result = sdgnn("locality", "locality.yaml")
    assert result.exit_code == 0, result.output
    assert {p.name for p in (folder / "floors").glob("[!.]*")} == {
        "config.yaml", "provenance.json", "locality.json", "locality.png", "locality.pdf", "locality.svg"
    }  # fmt: skip
    states = json.loads((folder / "floors/locality.json").read_text())["states"]
    assert set(states) == {"random", "tetrahedral noise 0.3"}
    for floor in states.values():
        assert floor["radius"] == pytest.approx([1, 3**0.5, 2])
        assert min(floor["torque_rmse_error"][:2]) > 0
        assert floor["torque_rmse"][2] == pytest.approx(0, abs=1e-10), "all 16 sites lie within 2"
    shown = re.findall(r"(0\.\d+) ± (0\.\d+)", result.stderr)  # first the smallest radius with random states
    for text, key in zip(shown[0], ("torque_rmse", "torque_rmse_error")):
        last_digit = 10.0 ** -len(text.partition(".")[2])
        assert float(text) == pytest.approx(states["random"][key][0], abs=0.5001 * last_digit)


def test_locality_of_given_states(folder: Path) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    assert sdgnn("simulate", "quench.yaml").exit_code == 0
    given = "states=[{kind: given, path: quench, since: 0.4}]"
    assert sdgnn("locality", "locality.yaml", given, "radii=[1]").exit_code == 0
    content = json.loads((folder / "floors/locality.json").read_text())
    assert list(content["states"]) == ["quench from 0.4"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["radii=[2.5]"], "0 to 2"),
        (["states.0.kind=randm"], "'random', 'noisy_order', 'given'"),
        (["states.1.strenght=1"], "did you mean states.1.strength?"),
        (["states.1.order=tetra"], "did you mean 'tetrahedral'?"),
        (["states.1.order=neel"], "bipartite"),
        (["states=[{kind: given, path: nothing}]"], "no trajectory in nothing"),
        (["redraws=1"], "redraws = 1"),
    ],
)
def test_locality_refuses_what_does_not_fit(folder: Path, overrides: list[str], words: str) -> None:
    (folder / "locality.yaml").write_text(LOCALITY)
    result = sdgnn("locality", "locality.yaml", *overrides)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (folder / "floors").exists()
