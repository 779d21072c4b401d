"""Whatever is public is shown in one line, however many numbers it holds; what prints a table says so with print."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sdgnn
from sdgnn import data, electrons, interchange, nn, spins, train
from sdgnn.common.one_line import LONGEST, one_line
from sdgnn.dynamics import estimate

LATTICE = sdgnn.Lattice.triangular(6, 6)
MODEL = sdgnn.SDModel(LATTICE)
STATES = spins.random(LATTICE, 2)
EXACT = sdgnn.ExactField(MODEL, kT=0.1, filling=0.25)
TRUNCATED = sdgnn.TruncatedField(MODEL, kT=0.1, filling=0.25, cutoff=2, moments=11)
KPM = sdgnn.KPMField(MODEL, kT=0.1, filling=0.25, moments=32, vectors=4)
HEISENBERG = sdgnn.Heisenberg(LATTICE, [1.0])
HEUN = sdgnn.Heun(dt=0.05, damping=0.1, kT=0.01)
RUN = sdgnn.simulate(HEISENBERG, STATES, HEUN, steps=2)
LABELS = data.label(EXACT, STATES)
NETWORK = sdgnn.load("triangular-tetrahedral")

EXAMPLES: dict[str, Callable[[], Any]] = {
    "Lattice": lambda: LATTICE,
    "Bonds": lambda: LATTICE.bonds(1),
    "PointOperation": lambda: LATTICE.point_group[1],
    "SDModel": lambda: MODEL,
    "ExponentialHopping": sdgnn.ExponentialHopping,
    "BondDisorder": lambda: sdgnn.BondDisorder(width=0.1),
    "ExactField": lambda: EXACT,
    "TruncatedField": lambda: TRUNCATED,
    "KPMField": lambda: KPM,
    "LaggingElectrons": lambda: electrons.LaggingElectrons(MODEL, kT=0.1, mu=-2.0, rate=0.5),
    "FieldResult": lambda: EXACT(STATES),
    "KPMResult": lambda: KPM(STATES),
    "DensityOfStates": lambda: electrons.density_of_states(MODEL, STATES, 32),
    "ConductivityMoments": lambda: electrons.conductivity_moments(MODEL, STATES, 32, 2),
    "Gap": lambda: electrons.spectral_gap(MODEL, STATES, filling=0.25),
    "Heisenberg": lambda: HEISENBERG,
    "Zeeman": lambda: sdgnn.Zeeman(LATTICE, field=(0, 0, 1.0)),
    "DMI": lambda: sdgnn.DMI(LATTICE, strength=0.1),
    "Anisotropy": lambda: sdgnn.Anisotropy(LATTICE, strength=0.1),
    "Sum": lambda: HEISENBERG + sdgnn.Zeeman(LATTICE, field=(0, 0, 1.0)) + EXACT,
    "Run": lambda: RUN,
    "State": lambda: RUN.state,
    "Relaxed": lambda: sdgnn.relax(HEISENBERG, STATES, evaluations=3),
    "SpiralEnergies": lambda: sdgnn.analysis.spiral_energies(sdgnn.Heisenberg(sdgnn.Lattice.chain(10), [1.0]), 2),
    "Estimate": lambda: estimate(HEISENBERG, STATES, HEUN, 5),
    "Snapshot": lambda: interchange.snapshot(RUN.trajectory),
    **{
        name: (lambda name=name: getattr(sdgnn, name)(dt=0.1, damping=0.1))
        for name in ("Heun", "ImplicitMidpoint", "SemiImplicitB", "DepondtMertens")
    },
    "MonteCarlo": lambda: sdgnn.MonteCarlo(kT=0.1),
    "LabelSet": lambda: LABELS,
    "Origin": lambda: LABELS.origin,
    "Random": lambda: data.Random(2),
    "NoisyOrder": lambda: data.NoisyOrder("neel", (0.1,), 1),
    "Snapshots": lambda: data.Snapshots(runs=2, steps=(5, 20, 50), dt=2.0),
    "Given": lambda: data.Given(STATES),
    "Network": lambda: NETWORK,
    "NetworkField": lambda: NETWORK.on(LATTICE),
    "NetworkSettings": lambda: NETWORK.settings,
    "EquivariantNetwork": lambda: nn.create(nn.EquivariantSettings(layers=1, channels=2), LATTICE),
    "TrainSettings": lambda: train.TrainSettings(epochs=3),
    "Metrics": lambda: train.judge(TRUNCATED, LABELS),
    "Comparison": lambda: train.compare({"truncated": TRUNCATED, "Heisenberg": HEISENBERG}, LABELS),
    "Floor": lambda: train.Floor(halo=5.0, rmse=0.01, error=float("nan"), rms=0.02),
}  # fmt: skip
"""One of most public classes."""


def classes() -> set[type]:
    """All classes that packages export, but for those of the command line."""
    root, found = Path(sdgnn.__file__).parent, set()
    for stub in root.rglob("__init__.pyi"):
        package = ".".join(stub.parent.relative_to(root.parent).parts)
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module and ".cli" not in package:
                found |= {getattr(importlib.import_module(package), alias.name) for alias in node.names}
    return {thing for thing in found if inspect.isclass(thing)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_line(name: str) -> None:
    example = EXAMPLES[name]()
    assert type(example).__name__ == name
    text = repr(example)
    assert "\n" not in text and len(text) < 240 and "tensor(" not in text and "array(" not in text


def spelled_out(cls: type) -> bool:
    """Whether ``dataclass`` wrote ``__repr__`` by itself: code that stands in no file."""
    return dataclasses.is_dataclass(cls) and not Path(inspect.unwrap(cls.__repr__).__code__.co_filename).is_file()


def test_no_public_record_prints_its_arrays() -> None:
    written = dataclasses.make_dataclass("written", [("field", torch.Tensor)])
    assert spelled_out(written) and not spelled_out(Record)
    assert not {cls.__name__ for cls in classes() if spelled_out(cls)}, "__repr__ = one_line (sdgnn.common.one_line)"


@dataclasses.dataclass
class Record:
    energy: torch.Tensor
    field: torch.Tensor
    number: float = 1 / 3
    absent: float | None = None
    words: str = "a\nb"
    several: tuple[int, ...] = (1, 2)
    named: dict[str, Any] = dataclasses.field(default_factory=lambda: {"J": 3.0})

    __repr__ = one_line


def test_few_numbers_and_the_shapes_of_many() -> None:
    record = Record(torch.tensor([1.0, 2.5]), torch.zeros(2, 36, 3))
    assert repr(record) == (
        r"Record(energy=[1, 2.5], field: 2 x 36 x 3, number=0.333333, words='a\nb', several=[1, 2], named={J: 3})"
    )
    long = repr(dataclasses.replace(record, words="x" * 300))
    assert len(long) == LONGEST and long.endswith("...)")


def test_label_sets_of_many_kinds_count_them() -> None:
    many = dataclasses.replace(data.label(EXACT, spins.random(LATTICE, 6)), protocol=tuple("abcdef"))
    assert repr(many).startswith("LabelSet(6 states of 6 kinds, hopping=[1.0], J=3") and len(repr(many)) < LONGEST
    assert repr(many[:2]).startswith("LabelSet(1 a, 1 b, ")


def test_tables_are_for_print() -> None:
    choice = sdgnn.suggest_cutoff(sdgnn.SDModel(sdgnn.Lattice.chain(12), exchange=4.0), 0.3, mu=-3.0, torque_error=0.05)
    assert "\n" not in repr(choice) and str(choice).startswith(repr(choice)) and "\n" in str(choice)


def test_long_settings_show_what_is_not_their_default() -> None:
    assert repr(train.TrainSettings(epochs=3, seed=2)) == "TrainSettings(epochs=3, seed=2)"
    assert repr(data.Random(2)) == "Random(states=2)"
    assert "kT=0.0" in repr(sdgnn.Heun(dt=0.1, damping=0.1)), "short ones are told in full"
