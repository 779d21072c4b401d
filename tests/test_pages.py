"""What the pages of docs/ for new users show and say works and is so: code, messages of errors, keys, numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import sdgnn
from sdgnn.common import errors

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
QUESTIONS = (DOCS / "questions.md").read_text()
Page = Callable[..., dict]


def test_a_field_of_ones_own(run_page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    scope = run_page("own-field.md")
    page = (DOCS / "own-field.md").read_text()
    (first,) = re.findall(r"class Cubic\(Field\):\n((?:    .*\n|\n)+)```", page)
    assert len([line for line in first.splitlines() if line.strip()]) + 1 == 6 - 1  # "six lines", imports aside
    assert "slope is broken" in capsys.readouterr().out  # the wrong sign is found
    assert scope["run"].spins.shape == (2, 64, 3)
    local, whole = (scope[name](scope["lattice"], 0.05)(scope["spins"]) for name in ("LocalCubic", "Cubic"))
    torch.testing.assert_close(local.energy, whole.energy)


def test_a_hamiltonian_of_ones_own(run_page: Page) -> None:
    scope = run_page("own-hamiltonian.md")  # the bands on paper are asserted on the page
    assert scope["choice"].torque_error <= 0.02
    model, other = (sdgnn.SDModel(scope["lattice"], exchange=J) for J in (3.0, -3.0))
    spins = sdgnn.spins.random(scope["lattice"], seed=3)
    one, two = (sdgnn.ExactField(m, kT=0.1, filling=0.3)(spins) for m in (model, other))
    torch.testing.assert_close(one.energy, two.energy)  # "E(S) of -J is that of J"
    torch.testing.assert_close(one.field, two.field)


def test_the_check_on_ones_own_states(run_page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    run_page("trust.md", {"square(10, 10)": "square(6, 6)", "twists=(3, 3)": "twists=(2, 2)", "steps=60": "steps=4"})
    found = dict(re.findall(r"(fast|accurate) ([\d.-]+)", capsys.readouterr().out))
    assert 0.5 < float(found["fast"]) <= float(found["accurate"]) < 1


def test_what_other_programs_users_find(run_page: Page) -> None:
    scope = run_page("coming-from.md", {"triangular(24, 24)": "triangular(12, 12)"})
    torch.testing.assert_close(scope["again"][0], scope["run"].spins[0].to(scope["again"]), atol=1e-6, rtol=0)


def messages() -> list[list[str]]:
    """The fixed parts of every message that the package raises or warns with, in their order."""
    kinds = {name for name, item in vars(errors).items() if isinstance(item, type)}
    found = []
    for path in (ROOT / "sdgnn").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if call.args and (name in kinds or name in ("warn", "_warn", "append", "extend")):
                parts = [node for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
                parts.sort(key=lambda node: (node.lineno, node.col_offset))
                found.append([node.value for node in parts if isinstance(node.value, str)])
    return found


def in_source(message: str, source: list[list[str]]) -> bool:
    """Whether one message of the source has the fixed parts of ``message`` one after the other."""
    wanted = [part.strip() for part in message.split("...") if part.strip()]
    return any(re.search(".*".join(map(re.escape, wanted)), "\0".join(parts), re.DOTALL) for parts in source)


def test_messages_of_errors_are_those_of_the_source() -> None:
    table = QUESTIONS.split("## Messages")[1]
    quoted = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    source = messages()
    assert len(quoted) > 40
    assert not [message for message in quoted if not in_source(message, source)]
    assert not in_source("spins of the wrong shape ...", source)  # positive control


def test_every_kind_of_error_is_explained() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", QUESTIONS.split("## Kinds of errors")[1].split("## Messages")[0], re.M))
    public = {n for n, item in vars(errors).items() if isinstance(item, type) and item.__module__ == errors.__name__}
    assert rows == public - {"Terminated"}  # which passes through and is no error
    from sdgnn.cli import app

    assert f"| {app.USER_ERROR} |" in QUESTIONS and f"| {app.UNKNOWN_STATES} |" in QUESTIONS


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("exchange ...", lambda lattice: sdgnn.SDModel(lattice, exchange=float("nan"))),
        ("hopping ...", lambda lattice: sdgnn.SDModel(lattice, hopping=[])),
        ("mu = ... with filling = ...", lambda lattice: sdgnn.ExactField(sdgnn.SDModel(lattice), 0.1, 0.0, 0.2)),
        ("spins of shape ...", lambda lattice: sdgnn.Zeeman(lattice, (0, 0, 1))(torch.zeros(4, 3))),
        ("no model at ...", lambda lattice: sdgnn.load("nothing-of-the-kind")),
        ("adaptive steps at kT = ...", lambda lattice: sdgnn.DormandPrince(dt=0.1, damping=0.1, kT=0.1)),
        ("skyrmions ... unit cells apart", lambda lattice: sdgnn.spins.skyrmion_crystal(lattice, 2)),
    ],
)
def test_what_is_refused_says_so(message: str, wrong: Callable[[sdgnn.Lattice], object]) -> None:
    assert f"| `{message}` |" in QUESTIONS
    with pytest.raises(errors.UserError, match=".*".join(map(re.escape, message.split("...")))):
        wrong(sdgnn.Lattice.triangular(4, 4))


def test_figures_of_trust_are_those_of_the_page_that_measured_them() -> None:
    """The R^2 that the page on trust repeats stand where they are printed with their command."""
    trust, measured = (DOCS / "trust.md").read_text(), (DOCS / "truncated.md").read_text()
    rows = {
        "Néel order, noise 0.1": "square, neel 0.1",
        "ferromagnet, noise 0.1, triangular": "triangular, ferro 0.1",
        "spiral, noise 0.1, triangular": "triangular, spiral 0.1",
        "for comparison: random spins": "triangular, random",
    }
    for case, row in rows.items():
        fast, accurate = re.search(rf"{case}[^|]*\| ([\d.]+) \| ([\d.]+) \|", trust).groups()  # type: ignore[union-attr]
        found = re.search(rf"^\| {row} \| ([\d.]+) ± [\d.]+ \| [^|]+ \| ([\d.]+)", measured, re.MULTILINE)
        assert found is not None
        assert [round(float(x), 3) for x in found.groups()] == pytest.approx([float(fast), float(accurate)], abs=1e-9)
