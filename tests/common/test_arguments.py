"""Everything public answers wrong arguments with what is allowed: common mistakes, and any other name and type."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice, SDModel, analysis, data, fields, spins, train
from sdgnn.common.arguments import asked
from sdgnn.common.errors import UserError

LATTICE = Lattice.triangular(4, 4)
MODEL = SDModel(LATTICE)
EXACT = sdgnn.ExactField(MODEL, kT=0.1, filling=0.25)
STATES = spins.random(LATTICE, 2)
HEUN = sdgnn.Heun(dt=0.1, damping=0.1)
NETWORK = sdgnn.load("triangular-tetrahedral")
LABELS = data.label(EXACT, STATES)

MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    # names of other papers and programs, and misspelled ones
    "J": (lambda: SDModel(LATTICE, J=3), r"^SDModel with an unknown argument J; .*did you mean 'exchange'\?"),
    "temperature": (lambda: sdgnn.ExactField(MODEL, temperature=1, filling=0.2), r"temperature;.*mean 'kT'\?"),
    "alpha": (lambda: sdgnn.Heun(dt=0.1, alpha=0.1), r"unknown key alpha; did you mean damping\?"),
    "n_steps": (lambda: sdgnn.simulate(EXACT, STATES, HEUN, n_steps=2), r"argument n_steps; .*mean 'steps'\?"),
    "B": (lambda: fields.Zeeman(LATTICE, B=(0, 0, 1)), r"argument B; .*did you mean 'field'\?"),
    "of a method": (lambda: NETWORK.on(LATTICE, dtyp=torch.float64), r"^Network\.on .*dtyp; .*mean 'dtype'\?"),
    # a lattice, a model or a field in place of one another
    "a number for a lattice": (lambda: spins.random(8), r"^spins\.random with lattice=8; allowed: a Lattice; make one"),
    "a name for a lattice": (lambda: SDModel("triangular"), r"lattice='triangular'; allowed: a Lattice"),
    "a model for a lattice": (lambda: spins.random(MODEL), r"lattice=an SDModel; .*give its \.lattice"),
    "a lattice for a model": (lambda: sdgnn.ExactField(LATTICE, kT=0.1, filling=0.2), r"allowed: an SDModel; make one"),
    "a field for a model": (lambda: sdgnn.TruncatedField(EXACT, kT=0.1, filling=0.2), r"an SDModel; give its \.model"),
    "a class for an object": (lambda: sdgnn.ExactField(SDModel, kT=0.1, filling=0.2), "the class SDModel itself"),
    "a network for a field": (lambda: sdgnn.simulate(NETWORK, STATES, HEUN, steps=2), r"bind it .*\.on\(\.\.\.\)"),
    "a number for an integrator": (lambda: sdgnn.simulate(EXACT, STATES, 0.1, 2), r"integrator=0\.1; allowed: an Inte"),
    "the wrong way round": (lambda: analysis.mean_chirality(LATTICE, STATES), r"lattice=a Tensor of shape \(2, 16"),
    # numbers and words
    "words for numbers": (lambda: Lattice.triangular("12", 12), r"^Lattice\.triangular with Lx='12'; .*whole number"),
    "half a site": (lambda: Lattice.triangular(12.5, 12), r"Lx=12\.5; allowed: a whole number"),
    "a list for a number": (lambda: SDModel(LATTICE, exchange=[3]), r"exchange=\[3\]; allowed: a number"),
    "a number for a list": (lambda: fields.Heisenberg(LATTICE, 1.0), r"couplings=1\.0; allowed: a list"),
    "negative counts": (lambda: spins.random(LATTICE, -1), r"-1 replicas; allowed: at least 1"),
    "a word for a dtype": (lambda: spins.random(LATTICE, dtype="float32"), r"allowed: torch\.float32 or torch"),
    "a number for a path": (lambda: data.read(3), r"path=3; allowed: text or a path"),
    "a path that is not there": (lambda: data.read("nowhere.h5"), r"nowhere\.h5, which does not exist"),
    "no such model": (lambda: sdgnn.load("universl"), r"did you mean 'universal'\?"),
    # arrays and lists
    "no axis of replicas": (lambda: EXACT(STATES[0]), r"shape \(16, 3\); allowed: \(replica, 16, 3\).*spins\[None\]"),
    "a field for spins": (lambda: EXACT(MODEL), r"spins.*SDModel.*allowed: a tensor, array or list"),
    "one set for a list": (
        lambda: train.fit(NETWORK, LABELS, [], train.TrainSettings(), "x"), r"a list of LabelSet objects; .*brackets"
    ),
    "one protocol for a list": (lambda: data.generate(EXACT, data.Random(2), "x.h5"), r"Random\(.*brackets"),
    "an array for a tensor": (lambda: fields.torque_part(STATES.numpy(), STATES), r"torch\.as_tensor"),
    # too few, too many
    "half of the size": (lambda: Lattice.triangular(12), r"^Lattice\.triangular without Ly; allowed: Lx, Ly"),
    "one size too many": (lambda: Lattice.triangular(2, 2, 2), r"3 arguments in a row; allowed: Lx, Ly"),
    "no lattice": (lambda: analysis.mean_chirality(STATES), r"^mean_chirality without lattice; allowed: spins, la"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_common_mistakes_are_answered_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mistake, said = MISTAKES[name]
    with pytest.raises(UserError, match=said) as refused:
        mistake()
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def public() -> Iterator[tuple[str, Any]]:
    """Functions and classes that packages export, but for those of the command line."""
    root, seen = Path(sdgnn.__file__).parent, set()
    for stub in sorted(root.rglob("__init__.pyi")):
        package = ".".join(stub.parent.relative_to(root.parent).parts)
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module and ".cli" not in package:
                for alias in node.names:
                    thing = getattr(importlib.import_module(package), alias.name)
                    if id(thing) not in seen and (inspect.isclass(thing) or inspect.isroutine(thing)):
                        seen.add(id(thing))
                        yield f"{package}.{alias.name}", thing
    for name, thing in vars(spins).items():
        if inspect.isroutine(thing) and thing.__module__ == "sdgnn.spins" and not name.startswith("_"):
            yield f"sdgnn.spins.{name}", thing


def is_made(thing: Any) -> bool:
    """Whether users call it: no abstract class, no protocol, no record that functions return, no error."""
    abstract = inspect.isabstract(thing) or getattr(thing, "_is_protocol", False)
    return not abstract and not (inspect.isclass(thing) and issubclass(thing, tuple | BaseException))


PUBLIC = {name: thing for name, thing in public() if is_made(thing)}
RECORDS = ("MagneticCell", "DensityOfStates", "Gap", "Bonds", "PointOperation")
"""Classes that hold arrays as they are: functions make them."""


class Odd:
    """Nothing that anybody asks for."""


def test_what_is_public_was_found() -> None:
    assert len(PUBLIC) > 200


@pytest.mark.parametrize("name", PUBLIC)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"quite_wrong.*|settings"):
        PUBLIC[name](quite_wrong=1)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.rpartition(".")[2] not in RECORDS])
def test_any_other_type_of_the_first_argument_is_refused(name: str) -> None:
    thing = PUBLIC[name]
    first, *others = inspect.signature(thing).parameters.values()
    needed = {p.name: Odd() for p in others if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    with pytest.raises(UserError) as refused:
        thing(Odd(), **needed) if first.kind is not first.KEYWORD_ONLY else thing(**{first.name: Odd()}, **needed)
    assert "\n" not in str(refused.value)


def kept(lattice: Lattice, factor: float = 1.0, *, what: str = "x") -> float:
    """Something that fails inside for reasons of its own."""
    return len(lattice) * factor + len(what)  # type: ignore[arg-type]


def test_failures_inside_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TypeError that is no fault of the arguments is raised as it is; results and names are those of the function."""
    monkeypatch.setattr(kept, "__module__", "sdgnn.kept")
    asking = asked(kept)
    with pytest.raises(TypeError, match="has no len"):
        asking(LATTICE)
    assert asking.__name__ == "kept" and inspect.signature(asking) == inspect.signature(kept)
    assert asked(len) is len and asked(np.linalg.norm) is np.linalg.norm and asked(3) == 3


def halved(number: float, count: int = 1) -> float:
    return float(number) / 2 / count


def test_arguments_behind_any_number_of_others_are_known_by_name_alone() -> None:
    run = sdgnn.simulate(EXACT, STATES, HEUN, steps=2)
    assert len(run.plot("energy", "chirality", "magnetization").axes) >= 3
    assert list(run.measure("energy", "chirality", "ferro")) == ["energy", "chirality", "ferro"]
    with pytest.raises(UserError, match="plot with time='energy'"):
        run.plot("chirality", time="energy")  # type: ignore[arg-type]


def test_numbers_of_other_libraries_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy's, one-element tensors, and whole numbers where fractions are allowed."""
    monkeypatch.setattr(halved, "__module__", "sdgnn.halved")
    asking = asked(halved)
    for one in (3, np.float32(3), np.int64(3), torch.tensor(3.0), np.array(3)):
        assert asking(one) == 1.5
    assert asking(6, count=np.int32(2)) == asking(6, torch.tensor(2)) == 1.5
    for wrong in ("3", None, [3], np.array([3.0, 1.0]), 3j):
        with pytest.raises(UserError, match=r"^halved with number=.*allowed: a number$"):
            asking(wrong)
    with pytest.raises(UserError, match=r"^halved with count=1\.0; allowed: a whole number$"):
        asking(3, 1.0)


def test_public_functions_and_objects_travel_between_processes() -> None:
    for thing in (SDModel, spins.random, sdgnn.Heun, sdgnn.simulate, analysis.wave_vectors, data.generate):
        assert pickle.loads(pickle.dumps(thing)) is thing
    assert pickle.loads(pickle.dumps(HEUN)) == HEUN
    assert pickle.loads(pickle.dumps(HEUN)) == HEUN


def test_a_class_of_another_package_is_not_the_one_of_the_same_name_here() -> None:
    """Figures of reports hold a ``matplotlib.figure.Figure``."""
    from matplotlib.figure import Figure as Drawing

    from sdgnn.cli.report import Figure

    assert Figure(Drawing(), "caption", "name").caption == "caption"
