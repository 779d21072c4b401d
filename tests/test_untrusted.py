"""Files from strangers: models, label sets, trajectories and configurations, damaged and forged in every way.

Reading one ends in something valid or in a UserError, with no more memory than its own size explains.
"""

from __future__ import annotations

import copy
import json
import resource
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sdgnn
from sdgnn import ExactField, Heun, Lattice, SDModel, simulate
from sdgnn.cli.config.index import COMMANDS
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, NoisyOrder, Random, generate, read
from sdgnn.dynamics import observers, open_trajectory
from sdgnn.fields import Heisenberg
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

CONFIGS = sorted((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
ROOM = 2**30
"""Bytes that reading one of these files, all below 100 kB, may take."""
PATIENCE = 20.0
"""Seconds of processor time that it may take."""


@contextmanager
def bounded() -> Iterator[None]:
    """No more than ROOM beyond what the process has, and no more than PATIENCE."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before, start = resource.getrlimit(resource.RLIMIT_AS), time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - start < PATIENCE


# -- damage ---------------------------------------------------------------------------------------------------------

Cut = tuple[str, float, int, bytes]
CUTS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "drop", "end", "double"]),
        st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.binary(min_size=1, max_size=8),
    ), min_size=1, max_size=4,
)  # fmt: skip


def damaged(content: bytes, cuts: list[Cut]) -> bytes:
    """Bytes flipped, set, inserted, dropped, cut short and doubled."""
    data = bytearray(content)
    for kind, at, number, new in cuts:
        k = int(at * len(data))
        if kind == "flip" and data:
            data[k] ^= 1 << number % 8
        elif kind == "set" and data:
            data[k : k + len(new)] = new
        elif kind == "insert":
            data[k:k] = new
        elif kind == "drop":
            del data[k : k + number]
        elif kind == "end":
            del data[k:]
        elif kind == "double":
            data[k:k] = data[k : k + number]
    return bytes(data)


WRONG = st.one_of(
    st.sampled_from([None, True, -1, 0, 1, 2**31, 2**63, 10**12, 1e308, -1e-308, float("nan"), float("inf"), "", "x",
                     "../../etc/passwd", "nan", [], {}, [[]], [0], [10**9, 10**9], {"": 0}, [None], "é\u2028"]),
    st.integers(-5, 10**15), st.floats(), st.text(max_size=6), st.lists(st.integers(-2, 10**10), max_size=4),
)  # fmt: skip
FORGERIES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), WRONG, st.booleans()), min_size=1, max_size=3)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all entries of nested mappings and lists."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def forged(data: Any, forgeries: list[tuple[float, Any, bool]]) -> Any:
    """Some entries of nested mappings and lists replaced by something else, or taken out."""
    data = copy.deepcopy(data)
    for at, value, out in forgeries:
        found = list(places(data))
        if not found:
            break
        *outer, key = found[int(at * len(found))]
        inside = data
        for step in outer:
            inside = inside[step]
        if out:
            del inside[key]
        else:
            inside[key] = copy.deepcopy(value)
    return data


def outcome(read: Callable[[], Any], check: Callable[[Any], None]) -> str:
    """Whether a file is read, and then what was read is checked, or refused; anything else fails."""
    with bounded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that overflow, and of zarr about files it does not know
        try:
            found = read()
        except UserError:
            return "refused"
    check(found)
    return "read"


# -- files ----------------------------------------------------------------------------------------------------------

LATTICE = Lattice.triangular(3, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, label sets, a run."""
    folder = tmp_path_factory.mktemp("files")
    EquivariantNetwork(EquivariantSettings(layers=1, channels=1), LATTICE, seed=0).save(folder / "model.safetensors")
    protocols = [Random(states=2), NoisyOrder(order="ferro", strengths=(0.5,), states=1)]
    labels = generate(ExactField(SDModel(LATTICE), kT=0.1, filling=0.25), protocols, folder / "labels.h5", workers=0)
    np.savez(folder / "labels.npz", spins=labels.spins.numpy(), field=labels.field.numpy(), lattice="triangular",
             shape=[3, 3])  # fmt: skip
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    seen = [observers.spins(1), observers.energy(2)]
    simulate(Heisenberg(LATTICE, [1.0]), spins, Heun(dt=0.05, damping=0.1), 4, observers=seen, folder=folder / "run")
    return folder


def valid_model(model: Any) -> None:
    """Fields on its own crystal, where that is small and large enough for it."""
    if model.family.n_sites <= 100:
        with suppress(UserError):
            result = model.on(model.family)(sdgnn.spins.random(model.family, seed=0))
            assert result.field.shape == (1, model.family.n_sites, 3)


def valid_labels(labels: LabelSet) -> None:
    assert labels.spins.shape == labels.field.shape == (len(labels), labels.lattice.n_sites, 3)
    assert bool(torch.isfinite(labels.spins).all() and torch.isfinite(labels.field).all())
    torch.testing.assert_close(
        labels.spins.norm(dim=-1), torch.ones(labels.spins.shape[:2]).double(), atol=1e-4, rtol=0
    )


def loaded(folder: Path) -> Any:
    """A trajectory with its values, where they are not too many: opening alone takes none."""
    data = open_trajectory(folder)
    return data.load() if data.nbytes < ROOM // 8 else data


def valid_trajectory(data: Any) -> None:
    for name in (str(n) for n in data.coords if str(n).startswith("step")):
        assert bool((data[name] >= 0).all()), "entries that are not written are left out"


def fuzzed(path: Path, target: Path, cuts: list[Cut], read: Callable[[], Any], check: Callable[[Any], None]) -> str:
    target.write_bytes(damaged(path.read_bytes(), cuts))
    return outcome(read, check)


CASES = [pytest.param(40, id="few"), pytest.param(2000, id="2000", marks=pytest.mark.slow)]


def many(count: int, **strategies: Any) -> Callable[[Callable[..., str]], dict[str, int]]:
    """Run a function on ``count`` examples; how often it returned what."""

    def runs(function: Callable[..., str]) -> dict[str, int]:
        counted: dict[str, int] = {}

        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(**strategies)
        def one(**arguments: Any) -> None:
            result = function(**arguments)
            counted[result] = counted.get(result, 0) + 1

        one()
        return counted

    return runs


@pytest.mark.parametrize("count", CASES)
def test_models(count: int, files: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    whole = (files / "model.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    inner = json.loads(header["__metadata__"]["sdgnn"])

    def read() -> Any:
        return sdgnn.load(target)

    def bytewise(cuts: list[Cut]) -> str:
        return fuzzed(files / "model.safetensors", target, cuts, read, valid_model)

    def headerwise(forgeries: list[Any], inside: bool) -> str:
        outer = copy.deepcopy(header)
        if inside:
            outer["__metadata__"]["sdgnn"] = json.dumps(forged(inner, forgeries))
        else:
            outer = forged(outer, forgeries)
        try:
            text = json.dumps(outer).encode()
        except (TypeError, ValueError):
            return "no file"
        target.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
        return outcome(read, valid_model)

    found = many(count, cuts=CUTS)(bytewise)
    forgeries = many(count, forgeries=FORGERIES, inside=st.booleans())(headerwise)
    assert found["refused"] > count / 4 and forgeries["refused"] > count / 4
    shutil.copy(files / "model.safetensors", target)
    assert outcome(read, valid_model) == "read"


@pytest.mark.parametrize("count", CASES)
@pytest.mark.parametrize("name", ["labels.h5", "labels.npz"])
def test_label_sets(name: str, count: int, files: Path, tmp_path: Path) -> None:
    target = tmp_path / name

    def bytewise(cuts: list[Cut]) -> str:
        return fuzzed(files / name, target, cuts, lambda: read(target), valid_labels)

    found = many(count, cuts=CUTS)(bytewise)
    assert found["refused"] > count / 4
    shutil.copy(files / name, target)
    assert outcome(lambda: read(target), valid_labels) == "read"


@pytest.mark.parametrize("count", CASES)
def test_forged_label_sets(count: int, files: Path, tmp_path: Path) -> None:
    """Attributes and data sets of HDF5 replaced by others of any type and shape, their hash taken out."""
    target = tmp_path / "labels.h5"
    names = ["spins", "field", "energy", "density", "mu", "protocol", "seed", "step", "lattice/positions",
             "lattice/cell", "lattice/vectors", "lattice/basis", "lattice/shape", "lattice"]  # fmt: skip
    attributes = ["format", "schema", "hamiltonian", "kT", "filling", "mu", "solver", "protocols", "seed", "version"]

    def forge(name: str, value: Any, shape: list[int], dtype: str, link: int) -> str:
        shutil.copy(files / "labels.h5", target)
        with h5py.File(target, "r+") as file:
            del file.attrs["content_hash"]
            try:
                if name in names:
                    del file[name]
                    if link == 1:
                        file[name] = h5py.ExternalLink(str(files / "labels.h5"), "/spins")
                    elif link == 2:
                        file[name] = h5py.SoftLink("/lattice")
                    elif link == 3:  # room that is promised and not there
                        file.create_dataset(name, shape=(10**6, *shape), dtype=dtype, chunks=True, compression="gzip")
                    elif link == 4:
                        file.create_dataset(name, data=value)
                    else:
                        file.create_dataset(name, data=np.zeros([n % 5 for n in shape], dtype=dtype))
                else:
                    file.attrs[name] = value
            except (TypeError, ValueError, OSError, RuntimeError, AttributeError):
                return "no file"
        return outcome(lambda: read(target), valid_labels)

    shapes, kinds = st.lists(st.integers(0, 10**6), max_size=4), st.sampled_from(["f4", "f8", "i8", "S3", "u1", "c16"])
    found = many(count, name=st.sampled_from(names + attributes), value=WRONG, shape=shapes, dtype=kinds,
                 link=st.integers(0, 4))(forge)  # fmt: skip
    assert found["refused"] > count / 4


@pytest.mark.parametrize("count", CASES)
def test_trajectories(count: int, files: Path, tmp_path: Path) -> None:
    whole = files / "run" / "trajectory.zarr"
    members = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    target = tmp_path / "run" / "trajectory.zarr"

    def read() -> Any:
        return loaded(tmp_path / "run")

    def case(which: float, cuts: list[Cut], forgeries: list[Any], by_bytes: bool) -> str:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(whole, target)
        member = members[int(which * len(members))]
        if by_bytes or member.suffix != ".json":
            return fuzzed(whole / member, target / member, cuts, read, valid_trajectory)
        try:
            text = json.dumps(forged(json.loads((whole / member).read_text()), forgeries))
        except (TypeError, ValueError):
            return "no file"
        (target / member).write_text(text)
        return outcome(read, valid_trajectory)

    part = st.floats(0, 1, exclude_max=True)
    found = many(count, which=part, cuts=CUTS, forgeries=FORGERIES, by_bytes=st.booleans())(case)
    assert found["refused"] > count / 4


@pytest.mark.parametrize("count", CASES)
def test_configurations(count: int, tmp_path: Path) -> None:
    target = tmp_path / "config.yaml"

    def case(which: float, command: str, cuts: list[Cut], forgeries: list[Any], by_bytes: bool) -> str:
        path = CONFIGS[int(which * len(CONFIGS))]
        if by_bytes:
            target.write_bytes(damaged(path.read_bytes(), cuts))
        else:
            target.write_text(yaml.safe_dump(forged(yaml.safe_load(path.read_text()), forgeries)))
        return outcome(lambda: COMMANDS[command].read(target), lambda config: config.to_yaml())

    part, commands = st.floats(0, 1, exclude_max=True), st.sampled_from(sorted(COMMANDS))
    found = many(count, which=part, command=commands, cuts=CUTS, forgeries=FORGERIES, by_bytes=st.booleans())(case)
    assert found["refused"] > count / 4


# -- known tricks ---------------------------------------------------------------------------------------------------


def test_yaml_that_explodes_or_runs_code_is_refused(tmp_path: Path) -> None:
    levels = [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    bomb = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels])
    deep = "lattice: " + "[" * 100_000
    code = "lattice: !!python/object/apply:os.system ['true']"
    for text in (bomb, deep, code, "lattice: &a [*a]", "lattice: \x00", "? [a]: b", "1: 2"):
        (tmp_path / "config.yaml").write_text(text)
        read = COMMANDS["simulate"].read
        assert outcome(lambda read=read: read(tmp_path / "config.yaml"), lambda config: None) == "refused"


def test_a_model_that_promises_more_than_its_file_holds_is_refused(files: Path, tmp_path: Path) -> None:
    whole = (files / "model.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    inner = json.loads(header["__metadata__"]["sdgnn"])
    target = tmp_path / "model.safetensors"
    for change in (
        ("settings", "channels", 10**5),
        ("settings", "layers", 10**6),
        ("lattice", "shape", [10**5, 10**5]),
    ):
        wrong = copy.deepcopy(inner)
        wrong[change[0]][change[1]] = change[2]
        text = json.dumps({**header, "__metadata__": {"sdgnn": json.dumps(wrong)}}).encode()
        target.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
        assert outcome(lambda: sdgnn.load(target), valid_model) == "refused"


def test_the_harness_notices_crashes_and_memory() -> None:
    """The control: an error of another kind is no refusal, and the bound on memory holds."""

    def crash() -> None:
        raise IndexError

    with pytest.raises(IndexError):
        outcome(crash, lambda found: None)
    with pytest.raises(MemoryError):
        outcome(lambda: np.zeros(3 * ROOM // 8).sum(), lambda found: None)
