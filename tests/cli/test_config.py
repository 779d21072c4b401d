"""Configurations are typed, refuse what they do not know and come back from their own YAML unchanged."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter

import sdgnn
from sdgnn import ExactField, KPMField, Lattice, SDModel, TruncatedField
from sdgnn.cli.config.base import Config, apply_override
from sdgnn.cli.config.commands import AnalyzeConfig, GenerateConfig, SimulateConfig
from sdgnn.cli.config.electrons import Electrons
from sdgnn.cli.config.fields import FieldConfig
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.cli.config.reference import describe, keys
from sdgnn.common.errors import UserError
from sdgnn.electrons.solvers import ExactElectrons, KPMElectrons, TruncatedElectrons
from sdgnn.fields import Sum
from sdgnn.nn import ElectronsSettings, NetworkSettings, create


class Steps(BaseModel):
    """Settings as other modules declare them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    epochs: int = 3
    """Passes over the data."""
    rate: float = 1e-3
    """Learning rate."""


class Entry(Config):
    """An entry of a list."""

    kind: str
    """Its kind."""
    count: int = 1
    """How many."""


class Example(Config):
    """A configuration with a section, a list of sections and an optional section."""

    train: Steps = Steps()
    """How it is trained."""
    entries: tuple[Entry, ...] = ()
    """Entries."""
    more: Steps | None = None
    """More steps."""
    output: Path | None = None
    """Where to."""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"train": {"epocks": 4}}, ["unknown key train.epocks", "did you mean train.epochs?"]),
        ({"trian": {}}, ["unknown key trian", "did you mean train?"]),
        ({"epochs": 4}, ["unknown key epochs", "did you mean train.epochs?"]),
        ({"train": {"xyz": 4}}, ["unknown key train.xyz", "allowed: epochs, rate"]),
        ({"train": {"epochs": "many"}}, ["train.epochs = 'many'", "integer", "Passes over the data."]),
        ({"more": {"rate": [1]}}, ["more.rate = [1]", "number", "Learning rate."]),
        ({"entries": [{"kind": "a"}, {"count": 2}]}, ["entries.1.kind is missing", "Its kind."]),
        ({"entries": [{"kind": "a", "cuont": 2}]}, ["unknown key entries.0.cuont", "entries.0.count?"]),
        ({"train": {"rate": float("nan")}, "entries": 3}, ["entries = 3", "list"]),
    ],
)
def test_every_mistake_is_explained_with_its_path(data: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        Example.parse(data, source="file.yaml")
    for word in ["file.yaml", *words]:
        assert word in str(caught.value)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(UserError, match=r"(?s)train\.epocks.*entries\.0\.kind"):
        Example.parse({"train": {"epocks": 4}, "entries": [{}]})


def test_overrides_are_typed_by_yaml_and_win() -> None:
    data = {"train": {"epochs": 1}, "entries": [{"kind": "a"}, {"kind": "b"}]}
    config = Example.parse(
        data, ["train.epochs=7", "train.rate=1e-2", "entries.1.count=5", "more.epochs=2", "output=x"]
    )
    assert config.train == Steps(epochs=7, rate=0.01)
    assert [entry.count for entry in config.entries] == [1, 5]
    assert config.more == Steps(epochs=2)
    assert config.output == Path("x")
    assert data == {"train": {"epochs": 1}, "entries": [{"kind": "a"}, {"kind": "b"}]}, (
        "the given data stay as they are"
    )
    assert Example.parse({"more": {"epochs": 2}}, ["more=null"]).more is None


@pytest.mark.parametrize("override", ["epochs", "=3", "train..epochs=3", "entries.5.count=3", "entries.x=3", "a=[1"])
def test_bad_overrides_are_refused(override: str) -> None:
    with pytest.raises(UserError, match="override"):
        Example.parse({"entries": [{"kind": "a"}]}, [override])


def test_an_override_cannot_enter_a_plain_value() -> None:
    with pytest.raises(UserError, match=r"train\.epochs is 3"):
        apply_override({"train": {"epochs": 3}}, "train.epochs.more=1")


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("a: 1")
    with pytest.raises(UserError, match=r"no file .*labls\.yaml; did you mean .*labels\.yaml"):
        Example.read(tmp_path / "labls.yaml")
    (tmp_path / "broken.yaml").write_text("train:\n  epochs: [1\n")
    with pytest.raises(UserError, match=r"broken\.yaml is no YAML at line"):
        Example.read(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match="mapping"):
        Example.read(tmp_path / "list.yaml")
    (tmp_path / "code.yaml").write_text("output: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UserError, match="no YAML"):
        Example.read(tmp_path / "code.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        Example.read(tmp_path)


@settings(max_examples=25, deadline=None)
@given(
    epochs=st.integers(),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    kinds=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))),
)
def test_written_yaml_is_read_back_unchanged(tmp_path_factory, epochs: int, rate: float, kinds: list[str]) -> None:
    config = Example(train=Steps(epochs=epochs, rate=rate), entries=[Entry(kind=kind) for kind in kinds])
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    config.save(path)
    assert Example.read(path) == config


class Scalars(Config):
    """One key of each type."""

    whole: int = 0
    """A whole number."""
    number: float | tuple[float, ...] = 0.0
    """A number, or several."""
    flag: bool = False
    """A boolean."""
    text: str | None = None
    """A text."""
    place: Path | None = None
    """A path."""
    free: dict[str, Any] = {}
    """Anything."""


YAML = [
    ("whole: 010", 10),
    ("whole: 1e6", 1_000_000),
    ("whole: 2.5e1", 25),
    ("whole: 0x10", 16),
    ("whole: 0o10", 8),
    ("number: 1e-3", 1e-3),
    ("number: 1/3", 1 / 3),
    ("number: '1/3'", 1 / 3),
    ("number: [1/4, -2/5, .5, 1]", (0.25, -0.4, 0.5, 1.0)),
    ("flag: true", True),
    ("flag: off", False),
    ("text: 1/3", "1/3"),
    ("text: 007", "007"),
    ("text: true", "true"),
    ("text: 1:30", "1:30"),
    ("text: null", None),
    ("text: ~", None),
    ("text:", None),
    ("text: 'null'", "null"),
    ("place: 2026-11-28", Path("2026-11-28")),
    ("place: 1e3", Path("1e3")),
    ("place: runs#3", Path("runs#3")),
    ("place: ./~/x", Path("~/x")),
    ("text: '~'", "~"),
    ("free: {a: 1e3}", {"a": 1000}),
    ("free: {a: 1/8, b: off, c: [010], d: 1.5, e: 1e300}", {"a": 0.125, "b": "off", "c": [10], "d": 1.5, "e": 1e300}),
]
"""Scalars as the core schema of YAML 1.2 has them (https://yaml.org/spec/1.2.2/#103-core-schema), text where text is
wanted, and fractions."""


@pytest.mark.parametrize(("line", "value"), YAML)
def test_scalars_are_those_of_yaml_1_2_and_of_the_keys_that_they_stand_for(tmp_path: Path, line: str, value) -> None:
    (tmp_path / "file.yaml").write_text(line + "\n")
    key, _, written = line.partition(":")
    for config in (Scalars.read(tmp_path / "file.yaml"), Scalars.parse({}, [f"{key}={written}"])):
        assert getattr(config, key) == value and type(getattr(config, key)) is type(value)
        assert Scalars.from_yaml(config.to_yaml()) == config


@pytest.mark.parametrize(
    "given",
    ["whole: yes", "whole: 1:0", "whole: true", "whole: 2.5", "whole: 1/2", "number: off", "number: false",
     "number: 1/0", "number: [on]", "number: 2026-11-28", "flag: 2", "text: [a]"],
)  # fmt: skip
def test_words_and_booleans_are_no_numbers(given: str) -> None:
    key, _, value = given.partition(": ")
    for parse in (lambda: Scalars.from_yaml(given), lambda: Scalars.parse({}, [f"{key}={value}"])):
        with pytest.raises(UserError, match=rf"{key}.* = .*nput should be"):
            parse()


@pytest.mark.parametrize(
    ("text", "line"), [("whole: 1\nwhole: 2\n", 1), ("text: a\nfree:\n  a: 1\n  b: 2\n  a: 3\n", 3)]
)
def test_a_key_that_is_given_twice_is_refused(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"file\.yaml is no YAML at line {line}: the key (whole|a) twice"):
        Scalars.read(tmp_path / "file.yaml")


def test_paths_begin_at_home_and_keep_what_yaml_would_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/someone")
    assert Scalars.parse({}, ["place=~/x"]).place == Path("/home/of/someone/x")
    assert Scalars.from_yaml("text: ~/model").text == "/home/of/someone/model"
    for name in ("a #1", "b: c", "&a", "- x", "!x", "007", "a, b"):
        assert Scalars.parse({}, [f"place={name}"]).place == Path(name)
    with pytest.raises(UserError, match="no such home folder"):
        Scalars.parse({}, ["place=~nobody-of-this-name/x"])


@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
        st.from_regex(r"[-+]?[0-9]*[.:/eEox_-]?[0-9a-f]*", fullmatch=True),
        st.sampled_from(["", "~", "null", "true", "off", ".inf", ".NaN", "<<", "=", "1e5", "0o7", "1/3", "~/x"]),
    ),
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)), st.lists
    ),
)
def test_what_is_written_is_what_is_read(text: str, value: Any) -> None:
    config = Scalars(text=text, free={"value": value, "text": text})
    assert Scalars.from_yaml(config.to_yaml()) == config


def test_descriptions_name_every_key() -> None:
    text = describe(Example)
    for line in ("train.epochs: whole number, default 3", "entries.0.kind: text, required", "Passes over the data."):
        assert line in text


@pytest.mark.parametrize(
    ("data", "lattice"),
    [
        ({"type": "kagome", "size": [2, 3]}, Lattice.kagome(2, 3)),
        ({"type": "cubic", "size": [2, 2, 3]}, Lattice.cubic(2, 2, 3)),
        ({"type": "crystal", "size": [3], "vectors": [[2.0]], "basis": [[0.0], [1.0]]}, Lattice.chain(6)),
        ({"type": "free", "positions": [[0, 0], [1, 0]], "cell": [[3, 0], [0, 3]]}, None),
        ({"type": "kagome", "size": [2, 3], "vacancies": [0, 7]}, Lattice.kagome(2, 3).without([0, 7])),
        ({"type": "square", "size": [4, 3], "vacancies": 0.3, "seed": 2}, Lattice.square(4, 3).diluted(0.3, 2)),
        ({"type": "amorphous", "sites": 9, "seed": 3}, Lattice.amorphous(9, seed=3)),
        ({"type": "amorphous", "sites": 8, "dim": 3, "min_distance": 0.5}, Lattice.amorphous(8, 3, 0, 0.5)),
    ],
)
def test_lattices(data: dict, lattice: Lattice | None) -> None:
    built = LatticeConfig.parse(data).build()
    assert built.n_sites == (2 if lattice is None else lattice.n_sites)
    if lattice is not None:
        assert (built.positions == lattice.positions).all()


@pytest.mark.parametrize(
    "data", [{}, {"size": [4]}, {"size": [4, 0]}, {"type": "crystal", "size": [2]}, {"size": [2, 2], "cell": [[1.0]]}]
)
def test_incomplete_lattices_are_refused(data: dict) -> None:
    with pytest.raises(UserError, match=r"size|at least|greater|vectors|cell"):
        LatticeConfig.parse(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"type": "amorphous"}, "needs sites"),
        ({"type": "amorphous", "sites": 9, "size": [3, 3]}, "takes no size"),
        ({"type": "amorphous", "sites": 9, "dim": 1}, "dim = 1"),
        ({"size": [3, 3], "sites": 9}, "takes no sites"),
        ({"size": [3, 3], "min_distance": 0.5}, "takes no min_distance"),
        ({"size": [3, 3], "vacancies": 1.5}, "vacancies = 1.5"),
        ({"size": [3, 3], "vacancies": 0.1, "seed": -1}, "seed = -1"),
    ],
)
def test_disordered_lattices_that_make_no_sense_are_refused(data: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        LatticeConfig.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        {"hopping": [1.0, 0.3], "exchange": 2.0},
        {"hopping": {"form": "exponential", "decay": 0.4}, "disorder": {"width": 0.2, "seed": 3}},
    ],
)
def test_hamiltonians_come_back_from_their_yaml(tmp_path: Path, data: dict) -> None:
    config = HamiltonianConfig.parse(data)
    config.save(tmp_path / "hamiltonian.yaml")
    again = HamiltonianConfig.read(tmp_path / "hamiltonian.yaml")
    lattice = Lattice.square(3, 3)
    assert again == config
    assert again.build(lattice).to_dict() == SDModel(lattice, **data).to_dict()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"hopping": {"deacy": 0.4}}, ["unknown key hopping.deacy", "hopping.decay?"]),
        ({"hopping": {"decay": -1}}, ["hopping.decay = -1", "1 / e"]),
        ({"hopping": {"form": "gaussian"}}, ["hopping.form = 'gaussian'", "exponential"]),
        ({"hopping": ["a"]}, ["hopping.0 = 'a'", "number"]),
        ({"hopping": 3}, ["hopping = 3", "list"]),
        ({"disorder": {"seed": 1}}, ["disorder.width is missing"]),
    ],
)
def test_mistakes_in_hamiltonians_are_explained(data: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        HamiltonianConfig.parse(data)
    for word in words:
        assert word in str(caught.value)


ELECTRONS: TypeAdapter[Any] = TypeAdapter(Electrons)
LABELS = {
    "lattice": {"type": "square", "size": [3, 3]},
    "protocols": [{"protocol": "random", "states": 1}],
}


@pytest.mark.parametrize("solver", ["exact", "kpm", "truncated"])
@pytest.mark.parametrize("data", [{}, {"filling": 0.2, "mu": 1.0}, {"filling": 1.2}, {"filling": 0.2, "kT": -1}])
def test_ensembles_are_checked(data: dict, solver: str) -> None:
    with pytest.raises(UserError, match=r"filling|kT"):
        GenerateConfig.parse({**LABELS, "electrons": {"solver": solver, **data}})


def test_electrons_by_every_solver() -> None:
    """Exact by default; every key of a section reaches the field that it builds, and its YAML is read back."""
    model = SDModel(Lattice.square(3, 3))
    built: list[Any] = []
    for data in (
        {"mu": 1.0},
        {"solver": "exact", "filling": 0.3, "kT": 0.2, "twists": [1, 2]},
        {"solver": "kpm", "mu": 1.0},
        {"solver": "kpm", "filling": 0.3, "twists": [1, 2], "moments": 60, "vectors": None, "seed": 4,
         "probing": "plain", "precision": "float32"},
        {"solver": "kpm", "mu": 1.0, "tolerance": 0.01},
        {"solver": "truncated", "mu": 1.0, "kT": 0.2},
        {"solver": "truncated", "filling": 0.3, "cutoff": 2, "moments": 21},
        {"solver": "truncated", "mu": 1.0, "level": "accurate"},
    ):  # fmt: skip
        config = ELECTRONS.validate_python(data)
        assert ELECTRONS.validate_python(config.model_dump(mode="json")) == config
        assert set(data) <= set(type(config).model_fields)
        built.append(config.build(model))
    plain, exact, kpm, settings, adaptive, fast, own, accurate = built
    assert isinstance(plain, ExactField) and isinstance(exact, ExactField)
    assert (plain.mu, plain.filling, plain.kT, plain.twists) == (1.0, None, 0.05, (1, 1))
    assert (exact.mu, exact.filling, exact.kT, exact.twists) == (None, 0.3, 0.2, (1, 2))
    assert isinstance(kpm, KPMField) and isinstance(settings, KPMField)
    assert (kpm.moments, kpm.vectors, kpm.tolerance, str(kpm.dtype)) == (500, 128, None, "torch.float64")
    assert (settings.moments, settings.vectors, settings.seed, settings.twists) == (60, None, 4, (1, 2))
    assert (settings.filling, settings.probing, str(settings.dtype)) == (0.3, "plain", "torch.float32")
    assert adaptive.tolerance == 0.01
    assert isinstance(fast, TruncatedField) and isinstance(accurate, TruncatedField)
    default = TruncatedField(model, kT=0.2, mu=1.0)
    assert (fast.cutoff, fast.moments, fast.kT, fast.mu) == (default.cutoff, default.moments, 0.2, 1.0)
    assert (own.cutoff, own.moments, own.filling) == (2, 21, 0.3)
    best = TruncatedField(model, kT=0.2, mu=1.0, level="accurate")
    assert (accurate.cutoff, accurate.moments) == (best.cutoff, best.moments) != (fast.cutoff, fast.moments)


@pytest.mark.parametrize(
    ("electrons", "words"),
    [
        ({"cutoff": 3}, ["unknown key electrons.cutoff of solver exact", "solver truncated takes it"]),
        ({"solver": "kpm", "level": "fast"}, ["electrons.level of solver kpm", "solver truncated takes it"]),
        ({"solver": "truncated", "twists": [2, 2]}, ["electrons.twists", "solver exact and kpm take it"]),
        ({"solver": "truncated", "vectors": 3}, ["solver kpm takes it", "allowed: solver, kT, filling, mu, cutoff"]),
        ({"moments": 40}, ["electrons.moments of solver exact", "solver kpm and truncated take it"]),
        ({"kt": 0.1}, ["unknown key electrons.kt; did you mean electrons.kT?"]),
        ({"solver": "truncated", "cutof": 3}, ["did you mean electrons.cutoff?"]),
        ({"solver": "kpm", "cutof": 3}, ["did you mean electrons.cutoff of solver truncated?"]),
        ({"twist": [2, 2], "solver": "truncated"}, ["did you mean electrons.twists of solver exact?"]),
        ({"kpm": {}}, ["unknown key electrons.kpm", "allowed: solver, kT"]),
        ({"solver": "kmp"}, ["electrons.solver = 'kmp'", "'exact', 'kpm', 'truncated'"]),
        ({"solver": {"kT": 0.1}}, ["electrons.solver", "'exact', 'kpm', 'truncated'"]),
        ({"solver": "kpm", "moments": 7}, ["electrons.moments = 7", "Terms of the Chebyshev expansion"]),
        ({"solver": "truncated", "moments": 40}, ["moments = 40", "an odd number"]),
        ({"solver": "truncated", "moments": 41, "level": "fast"}, ["level = fast", "or numbers of your own"]),
        ({"solver": "truncated", "level": "best"}, ["electrons.level = 'best'", "'fast' or 'accurate'"]),
    ],
)
def test_mistakes_in_electrons_are_explained(electrons: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        GenerateConfig.parse({**LABELS, "electrons": {"mu": 1.0, **electrons}})
    assert len(str(caught.value).splitlines()) == 2, "one mistake, one line"
    for word in words:
        assert word in str(caught.value)


def test_electrons_take_the_place_of_solver_and_exact() -> None:
    with pytest.raises(UserError, match=r"unknown key solver; did you mean electrons.solver\?"):
        GenerateConfig.parse({**LABELS, "solver": {"kT": 0.1, "filling": 0.25}})
    with pytest.raises(UserError, match=r"unknown key exact.*electrons"):
        FieldConfig.parse({"exact": {"solver": {"kT": 0.1, "filling": 0.25}}})
    with pytest.raises(UserError, match=r"electrons\.hamiltonian of solver exact|unknown key electrons.hamiltonian"):
        GenerateConfig.parse({**LABELS, "electrons": {"mu": 1.0, "hamiltonian": {}}})


def test_electrons_of_a_field_and_of_an_analysis_have_their_hamiltonian() -> None:
    lattice = Lattice.square(3, 3)
    for solver, kind in (("exact", ExactField), ("kpm", KPMField), ("truncated", TruncatedField)):
        data = {"solver": solver, "mu": -1.0, "hamiltonian": {"hopping": [1.0, 0.2], "exchange": 2.5}}
        driving = FieldConfig.parse({"electrons": data}).build(lattice)
        analysis = AnalyzeConfig.parse({"trajectory": "run", "electrons": {**data, "every": 3}}).electrons
        assert analysis is not None and analysis.every == 3
        for field in (driving, analysis.on(lattice)):
            assert isinstance(field, kind)
            assert field.model.to_dict() == SDModel(lattice, [1.0, 0.2], 2.5).to_dict()
            assert field.mu == -1.0
    with pytest.raises(UserError, match=r"electrons.hamiltonian.exchage; did you mean electrons.hamiltonian.exchange"):
        FieldConfig.parse({"electrons": {"mu": 1.0, "hamiltonian": {"exchage": 1}}})
    with pytest.raises(UserError, match=r"electrons.evry; did you mean electrons.every"):
        AnalyzeConfig.parse({"trajectory": "run", "electrons": {"solver": "kpm", "mu": 1.0, "evry": 2}})


def test_the_keys_of_each_solver_are_listed_once() -> None:
    rows = [(path, text) for path, _, _, text in keys(GenerateConfig) if path.startswith("electrons.")]
    assert [path for path, _ in rows].count("electrons.kT") == 1
    assert dict(rows)["electrons.twists"].endswith("(solver exact or kpm)")
    assert dict(rows)["electrons.cutoff"].endswith("(solver truncated)")
    assert "solver" not in dict(rows)["electrons.filling"]
    assert [text.rpartition("(")[2] for path, text in rows if path == "electrons.moments"] == [
        "solver kpm)", "solver truncated)",
    ]  # fmt: skip
    text = describe(GenerateConfig)
    for name in ("exact", "kpm", "truncated"):
        assert text.count(f"electrons.solver: {name}\n") == 1


def test_fields_add_up() -> None:
    lattice = Lattice.triangular(3, 3)
    assert isinstance(FieldConfig.parse({"electrons": {"kT": 0.1, "filling": 0.25}}).build(lattice), ExactField)
    both = FieldConfig.parse({"heisenberg": [1.0], "zeeman": [0, 0, 1], "anisotropy": {"strength": 1}}).build(lattice)
    assert isinstance(both, Sum)
    assert len(both.parts) == 3
    with pytest.raises(UserError, match="no field; allowed"):
        FieldConfig.parse({})


def test_bond_disorder_of_what_drives_a_run_can_be_set(tmp_path: Path) -> None:
    """By the electrons' Hamiltonian, or for a network in place of that which it learned from."""
    lattice = Lattice.triangular(4, 4)
    hamiltonian = {"hopping": [1.0], "exchange": 3.0, "disorder": {"width": 0.3, "seed": 1}}
    model, other = (SDModel.from_dict(lattice, {**hamiltonian, "disorder": {"width": 0.3, "seed": s}}) for s in (1, 2))
    electrons = FieldConfig.parse({"electrons": {"filling": 0.25, "hamiltonian": hamiltonian}}).build(lattice)
    assert isinstance(electrons, ExactField) and electrons.model.to_dict() == model.to_dict() != other.to_dict()
    settings = ElectronsSettings(hamiltonian=hamiltonian, kT=0.1, filling=0.25)
    network = create(NetworkSettings(cutoff=2, moments=9, hidden=4, electrons=settings), lattice, 0)
    network.save(tmp_path / "model.safetensors")
    given = {"model": str(tmp_path), "disorder": {"width": 0.3, "seed": 2}}
    spins = sdgnn.spins.random(lattice, 2, seed=0, dtype=torch.float32)
    field = FieldConfig.parse(given).build(lattice)
    assert torch.equal(field(spins).field, network.on(other, kT=0.1, filling=0.25)(spins).field)
    assert not torch.allclose(field(spins).field, network.on(lattice)(spins).field, atol=1e-3)
    with pytest.raises(UserError, match="disorder without model"):
        FieldConfig.parse({"heisenberg": [1.0], "disorder": {"width": 0.1}})
    with pytest.raises(UserError, match=r"disorder of .*; allowed: models of kind network that know their electrons"):
        FieldConfig.parse({"model": "universal", "disorder": {"width": 0.1}}).build(lattice)


def test_devices_that_are_not_there_are_refused_with_those_that_are() -> None:
    quench: dict[str, Any] = {"lattice": {"type": "square", "size": [4, 4]}, "field": {"heisenberg": [1.0]}, "steps": 1}
    assert SimulateConfig(**quench).device == "cpu"
    for name in ("cuda:77", "abacus"):
        with pytest.raises(ValueError, match=f"device {name}; allowed: cpu"):
            SimulateConfig(**quench, device=name)


def test_integrators_of_files_that_name_the_settings_of_all_schemes_are_read() -> None:
    """As version 0.1 wrote them: null, or no sweeps, where a scheme has none of a setting."""
    base: dict[str, Any] = {"lattice": {"type": "square", "size": [4, 4]}, "field": {"heisenberg": [1.0]}, "steps": 1}
    for written, kept in (
        ({"scheme": "heun", "dt": None, "tolerance": None, "damping": 0.2, "kT": 0.0, "form": "gilbert",
          "overrelaxation": 0}, {"scheme": "heun", "damping": 0.2}),
        ({"scheme": "monte-carlo", "dt": None, "tolerance": None, "damping": None, "kT": 0.5, "form": None,
          "overrelaxation": 2}, {"scheme": "monte-carlo", "kT": 0.5, "overrelaxation": 2}),
    ):  # fmt: skip
        read = SimulateConfig.parse({**base, "integrator": written})
        assert read == SimulateConfig.parse({**base, "integrator": kept})
        assert SimulateConfig.from_yaml(read.to_yaml()) == read
    with pytest.raises(UserError, match=r"integrator\.overrelaxation of scheme heun; scheme monte-carlo takes it"):
        SimulateConfig.parse({**base, "integrator": {"scheme": "heun", "overrelaxation": 2}})


def test_whole_numbers_beyond_those_that_are_exact_are_refused_with_the_bound() -> None:
    with pytest.raises(UserError, match=r"steps = 1e\+20.*2\^53"):
        SimulateConfig.parse({"lattice": {"size": [4, 4]}, "field": {"heisenberg": [1.0]}}, ["steps=1e20"])


@pytest.mark.parametrize(
    ("field", "settings"),
    [(ExactField, ExactElectrons), (KPMField, KPMElectrons), (TruncatedField, TruncatedElectrons)],
)
def test_settings_of_electrons_are_those_of_their_fields(field: type, settings: type[BaseModel]) -> None:
    """Names, and defaults where a field has them."""
    taken = inspect.signature(field).parameters
    for name, info in settings.model_fields.items():
        if name not in ("solver", "precision", "kT"):
            assert taken[name].default == info.default, name
