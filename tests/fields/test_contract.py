"""The contract of every field of the package: found by themselves, so that a new one fails until it stands here."""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.networks import learned
from helpers.parts import summed_over
from torch import Tensor

import sdgnn
from sdgnn import ExactField, KPMField, Lattice, SDModel, TruncatedField, spins
from sdgnn.cli.commands.dynamics import Timed
from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB
from sdgnn.dynamics.domain_decomposition import Subdomain, SubdomainField
from sdgnn.electrons import LaggingElectrons
from sdgnn.electrons.truncated.pair_tail import PairTail
from sdgnn.fields import (
    DMI,
    Alignment,
    Anisotropy,
    BondExchange,
    DampingLike,
    DistanceHeisenberg,
    Exchange,
    Field,
    Heisenberg,
    OnLattices,
    SiteSum,
    SpinTransfer,
    Sum,
    Zeeman,
)
from sdgnn.fields.protocol import Total, halo_of, is_linear, on_lattice, pairs_of, part_of
from sdgnn.fields.schedules import Ramp
from sdgnn.fields.site_sums import Part
from sdgnn.lattice import halo_cells
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, NetworkField, SiteField, create
from sdgnn.nn.baselines.two_energies import TwoEnergies, TwoEnergiesField
from sdgnn.nn.committee import Committee, CommitteeField
from sdgnn.nn.model import Model
from sdgnn.nn.settings import BehlerParrinelloSettings, TwoEnergiesSettings

TRIANGLES, CHAIN, HONEYCOMB = Lattice.triangular(4, 4), Lattice.chain(9), Lattice.honeycomb(3, 3)
CUBES, AMORPHOUS = Lattice.cubic(3, 3, 3), Lattice.amorphous(12, seed=1)
CRYSTALS = (CHAIN, TRIANGLES, HONEYCOMB, CUBES)
EVEN = (CHAIN, TRIANGLES, CUBES)
"""Crystals on which a gradient is defined by nearest neighbours."""
LONG = Lattice.chain(40)
"""A crystal that a network with a cutoff of two bonds evaluates in blocks, if it must."""
RAMP = Ramp(start=0.2, stop=1.0, duration=8.0)


def randomised(model: Model, seed: int = 2) -> Model:
    """No weight is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return model


def network(lattice: Lattice, seed: int = 1, **settings: int) -> EquivariantNetwork:
    made = randomised(EquivariantNetwork(EquivariantSettings(layers=1, channels=2, **settings), lattice, seed), seed)
    assert isinstance(made, EquivariantNetwork)
    return made


def in_blocks(lattice: Lattice) -> Field:
    """Of a network, in several blocks."""
    made = network(lattice)
    limit = 0.75 * lattice.n_sites * made.on(lattice, torch.float64).bytes_per_site / GB
    field = made.on(lattice, torch.float64, memory=limit)
    assert len(field._blocks[1]) > 1
    return field


def with_strengths(lattice: Lattice) -> Field:
    """Of a network on bonds that differ."""
    model = SDModel(lattice, exchange=2.0, disorder={"distribution": "uniform", "width": 0.6, "seed": 1})
    return network(lattice, strength_powers=2).on(lattice, torch.float64, bonds=model.bonds, strengths=model.strengths)


def committee(lattice: Lattice) -> Field:
    return Committee([network(lattice, seed) for seed in (1, 2)]).on(lattice, torch.float64)


def two_energies(lattice: Lattice) -> Field:
    return randomised(create(TwoEnergiesSettings(layers=1, channels=2), lattice, 0)).on(lattice, torch.float64)


def descriptors(lattice: Lattice) -> Field:
    settings = BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=1, hidden=(4,))
    return randomised(create(settings, lattice, 0)).on(lattice, torch.float64)


def coupled(lattice: Lattice) -> SDModel:
    """With spin-orbit coupling, on lattices of any dimension."""
    return SDModel(lattice, exchange=2.0, spin_orbit={"kind": "radial", "strength": 0.4})


def electrons(lattice: Lattice) -> TruncatedField:
    return TruncatedField(SDModel(lattice, exchange=2.0), kT=0.1, filling=0.3, cutoff=2, moments=9)


def tail(lattice: Lattice) -> Field:
    """Couplings of nearby cells, alike in both directions."""
    middle = np.random.default_rng(0).standard_normal((3,) * lattice.dim + (lattice.n_basis,) * 2)
    back = np.flip(middle, axis=tuple(range(lattice.dim))).swapaxes(-1, -2)
    return PairTail(lattice, middle + back)


def own_bonds(lattice: Lattice) -> list[BondExchange]:
    """A bond along each axis with exchange, DMI and a matrix without symmetry."""
    matrix = ((0.1, 0.2, 0.3), (-0.2, 0.4, 0.0), (0.1, 0.5, -0.3))
    return [
        BondExchange(0, lattice.n_basis - 1, tuple(np.eye(lattice.dim, dtype=int)[axis]), 0.5, (0.1, 0, 0.2), matrix)
        for axis in range(lattice.dim)
    ]


def driven(lattice: Lattice) -> Field:
    return Heisenberg(lattice, [1.0]) + Zeeman(lattice, (0.1, 0.0, 1.0), RAMP)


def one_subdomain(field: Field) -> Field:
    """The subdomain of the only process."""
    assert field.lattice.shape is not None
    return SubdomainField(field, Subdomain(field.lattice, field.lattice.shape[:1], 0, 0))


@dataclass(frozen=True)
class Case:
    """A field and where it is tried."""

    kind: type[Field]
    make: Callable[[Lattice], Field]
    lattices: tuple[Lattice, ...] = CRYSTALS
    name: str = ""


CASES = (
    Case(Heisenberg, lambda lattice: Heisenberg(lattice, [1.0, -0.3])),
    Case(DMI, lambda lattice: DMI(lattice, 0.3)),
    Case(DMI, lambda lattice: DMI(lattice, 0.3, "out-of-plane", 2), (HONEYCOMB,), "out-of-plane"),
    Case(Exchange, lambda lattice: Exchange(lattice, own_bonds(lattice))),
    Case(Zeeman, lambda lattice: Zeeman(lattice, (0.1, 0.2, 1.0), RAMP), (*CRYSTALS, AMORPHOUS)),
    Case(Anisotropy, lambda lattice: Anisotropy(lattice, 0.4, (0, 1, 1)), (*CRYSTALS, AMORPHOUS)),
    Case(
        DistanceHeisenberg,
        lambda lattice: DistanceHeisenberg(lattice, [0.9, 1.5], [1.0, -0.4], 1.9),
        (*CRYSTALS, AMORPHOUS),
    ),
    Case(Sum, driven),
    Case(Part, lambda lattice: Heisenberg(lattice, [1.0]).part(lattice, slice(0, lattice.n_sites), lambda x: x)),
    Case(ExactField, lambda lattice: ExactField(SDModel(lattice, exchange=2.0), kT=0.1, filling=0.3)),
    Case(
        KPMField, lambda lattice: KPMField(SDModel(lattice, exchange=2.0), kT=0.2, filling=0.3, moments=200, vectors=8)
    ),
    Case(ExactField, lambda lattice: ExactField(coupled(lattice), 0.1, filling=0.3), (TRIANGLES,), "spin-orbit"),
    Case(
        KPMField,
        lambda lattice: KPMField(coupled(lattice), 0.2, filling=0.3, moments=200, vectors=8),
        (TRIANGLES,),
        "spin-orbit",
    ),
    Case(TruncatedField, electrons),
    Case(
        TruncatedField,
        lambda lattice: TruncatedField(coupled(lattice), kT=0.1, filling=0.3, cutoff=2, moments=9),
        (TRIANGLES, CHAIN),
        "spin-orbit",
    ),
    Case(PairTail, tail),
    Case(NetworkField, lambda lattice: learned(SDModel(lattice, exchange=2.0))),
    Case(SiteField, lambda lattice: network(lattice).on(lattice, torch.float64)),
    Case(SiteField, in_blocks, (LONG,), "blocks"),
    Case(SiteField, with_strengths, (TRIANGLES, HONEYCOMB), "strengths"),
    Case(SiteField, descriptors, (TRIANGLES,), "descriptors"),
    Case(TwoEnergiesField, two_energies, (TRIANGLES, CHAIN)),
    Case(CommitteeField, committee, (TRIANGLES, HONEYCOMB)),
    Case(SpinTransfer, lambda lattice: SpinTransfer(lattice, [0.3] * lattice.dim, 0.2), EVEN),
    Case(DampingLike, lambda lattice: DampingLike(driven(lattice), 0.3)),
    Case(Alignment, lambda lattice: Alignment(lattice, 0.5)),
    Case(LaggingElectrons, lambda lattice: LaggingElectrons(SDModel(lattice), kT=0.2, mu=-2.0, rate=0.5), (TRIANGLES,)),
    Case(
        LaggingElectrons,
        lambda lattice: LaggingElectrons(coupled(lattice), kT=0.2, mu=-2.0, rate=0.5),
        (TRIANGLES,),
        "spin-orbit",
    ),
    Case(SubdomainField, lambda lattice: one_subdomain(driven(lattice))),
    Case(Timed, lambda lattice: Timed(driven(lattice))),
)
ALL = [pytest.param(c, x, id=f"{c.kind.__name__}{c.name and '-'}{c.name}-{x.name}") for c in CASES for x in c.lattices]

WRAPPERS: dict[type[Field], Callable[[Field], Field]] = {
    Sum: lambda field: Sum(field, Anisotropy(field.lattice, 0.1)),
    Part: lambda field: part_of(field, field.lattice, slice(0, field.lattice.n_sites), lambda x: x),
    DampingLike: lambda field: DampingLike(field, 0.5),
    TwoEnergiesField: lambda field: TwoEnergiesField(
        TwoEnergies(TwoEnergiesSettings(layers=1, channels=2), field.lattice), (field, Anisotropy(field.lattice, 0.1))
    ),
    CommitteeField: lambda field: CommitteeField(
        Committee([network(field.lattice, k) for k in (0, 1)]), [field, Anisotropy(field.lattice, 0.1)]
    ),
    SubdomainField: one_subdomain,
    Timed: Timed,
}
"""Fields that are made of any others."""
OWN_PARTS = {Alignment, NetworkField, SiteField}
"""Fields whose parts are their own, of one kind, the same at all times."""


def kinds() -> set[type[Field]]:
    """Every field of the package that can be made: classes that name a field among their bases."""
    folder = Path(sdgnn.__file__).parent
    classes = [
        (path, node)
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    names, found, before = {"Field"}, set(), 0
    while len(names) > before:
        before = len(names)
        for path, node in classes:
            if any(ast.unparse(base).split("[")[0].split(".")[-1] in names for base in node.bases):
                names.add(node.name)
                module = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
                kind = getattr(importlib.import_module(module), node.name)
                if isinstance(kind, type) and issubclass(kind, Field) and not inspect.isabstract(kind):
                    found.add(kind)
    return found


def test_every_field_stands_here() -> None:
    assert kinds() == {case.kind for case in CASES}


def test_every_field_that_is_made_of_others_is_a_wrapper_here() -> None:
    for case in CASES:
        field = case.make(case.lattices[0])
        held = [x for value in vars(field).values() for x in (value if isinstance(value, tuple) else (value,))]
        fields = [x for x in held if isinstance(x, Field)]
        assert bool(field.made_of) == (case.kind in WRAPPERS)
        assert all(any(x is y for y in fields) for x in field.made_of)
        assert not fields or case.kind in WRAPPERS or case.kind in OWN_PARTS


def states(lattice: Lattice, seed: int = 0, replicas: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return spins.random(lattice, replicas, seed, dtype)


@pytest.mark.parametrize(("case", "lattice"), ALL)
def test_results_are_new_and_whole(case: Case, lattice: Lattice) -> None:
    """Shapes; energies in float64; spins left alone; nothing handed out that a later result is made of. Fields of
    float32 spins are those of the same spins in float64 to some hundred roundings of numbers up to 10."""
    field = case.make(lattice)
    for dtype in (torch.float64, torch.float32):
        given = states(lattice, dtype=dtype)
        before = given.clone()
        result = field(given)
        assert torch.equal(given, before)
        assert result.energy.dtype == torch.float64 and result.energy.shape == (3,)
        assert result.field.shape == given.shape and result.field.is_floating_point()
        for values, shape in ((result.density, (3, lattice.n_sites)), (result.mu, (3,))):
            assert values is None or values.shape == shape
        kept = result.energy.clone(), result.field.clone()
        result.energy.fill_(math.nan), result.field.fill_(math.nan)
        again = field(given)
        assert torch.equal(again.energy, kept[0]) and torch.equal(again.field, kept[1])
        wide = field(given.double())
        assert float((wide.field - kept[1]).abs().max()) < (1e-3 if dtype == torch.float32 else 1e-300)
        assert float((wide.energy - kept[0]).abs().max()) < (
            1e-4 * lattice.n_sites if dtype == torch.float32 else 1e-300
        )


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
def test_wrappers_hand_time_on(kind: type[Field]) -> None:
    """A wrapper of a field that is driven says at time t what the wrapper of the field as it is at t says; one time for
    all replicas, or one for each."""
    lattice = TRIANGLES
    given = states(lattice)
    wrapped = WRAPPERS[kind](Zeeman(lattice, (0.3, 0.0, 1.0), RAMP))
    assert isinstance(wrapped, kind)
    found = [WRAPPERS[kind](Zeeman(lattice, tuple(RAMP(t) * np.array([0.3, 0.0, 1.0]))))(given) for t in (0, 3, 20)]
    assert float((found[0].field - found[1].field).abs().max()) > 0.01
    assert wrapped.driven and not WRAPPERS[kind](Anisotropy(lattice, 0.3)).driven
    for time, expected in zip((0, 3, 20), found, strict=True):
        result = wrapped(given, time)
        torch.testing.assert_close(result.field, expected.field, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(result.energy, expected.energy, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(wrapped(given).field, found[0].field, rtol=1e-13, atol=1e-13)
    each = wrapped(given, np.array([0.0, 3.0, 20.0])).field
    torch.testing.assert_close(each, torch.stack([x.field[k] for k, x in enumerate(found)]), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", [k for k in WRAPPERS if k is not Part], ids=lambda kind: kind.__name__)
def test_wrappers_can_do_no_more_than_what_they_hold(kind: type[Field]) -> None:
    """Exact electrons see all spins and are linear in none."""
    exact = ExactField(SDModel(TRIANGLES), kT=0.1, filling=0.3)
    if kind is SubdomainField:
        with pytest.raises(UserError, match="part of ExactField"):
            one_subdomain(exact)
        return
    field = WRAPPERS[kind](exact) if kind is not TwoEnergiesField else exact
    assert halo_of(field) is None and not is_linear(field) and pairs_of(field) is None
    with pytest.raises(UserError, match=r"finite distance|part of ExactField"):
        part_of(field, TRIANGLES, slice(0, 4), lambda x: x)


@contextmanager
def threads_in_turn() -> Iterator[None]:
    """Python changes threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@pytest.mark.parametrize(("case", "lattice"), [(c, c.lattices[0]) for c in CASES],
                         ids=lambda x: f"{x.kind.__name__}{x.name}" if isinstance(x, Case) else x.name)  # fmt: skip
def test_threads_share_a_field(case: Case, lattice: Lattice) -> None:
    """Bit by bit what one thread finds alone, from the first call on, for any numbers of replicas; and to rounding with
    two of torch's own threads."""
    given = [states(lattice, seed=k, replicas=1 + k % 2) for k in range(4)]
    alone, field = case.make(lattice), case.make(lattice)
    expected = [alone(one) for one in given]
    with threads_in_turn(), ThreadPoolExecutor(len(given)) as pool:
        found = [*pool.map(field, given)]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.field, other.field) and torch.equal(one.energy, other.energy)
    usual = torch.get_num_threads()
    torch.set_num_threads(3 - min(usual, 2))
    try:
        torch.testing.assert_close(alone(given[0]).field, expected[0].field, rtol=1e-11, atol=1e-11)
    finally:
        torch.set_num_threads(usual)


@pytest.mark.parametrize(("case", "lattice"), ALL)
def test_on_its_own_lattice_it_is_itself_and_repeated_it_repeats(case: Case, lattice: Lattice) -> None:
    """No term is lost, at any time. Two periods of a state have twice its energy, where sites see near spins."""
    field, given = case.make(lattice), states(lattice)
    if not isinstance(field, OnLattices):
        with pytest.raises(UserError, match="on Lattice"):
            on_lattice(field, lattice)
        assert case.kind in (Part, SubdomainField, Timed)
        return
    if case.name == "strengths":
        with pytest.raises(UserError, match="bonds of"):
            field.on(lattice)
        return
    same = field.on(lattice)
    assert type(same) is case.kind
    for time in (0.0, 3.0):
        one, other = same(given, time), field(given, time)
        assert torch.equal(one.field, other.field) and torch.equal(one.energy, other.energy)
    if lattice.shape is None or case.kind in (ExactField, KPMField, LaggingElectrons):
        return
    double = lattice.resized(2 * lattice.shape[0], *lattice.shape[1:])
    repeated = field.on(double)(given.repeat(1, 2, 1))
    torch.testing.assert_close(repeated.energy, 2 * field(given).energy, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(repeated.field, field(given).field.repeat(1, 2, 1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", [c for c in CASES if c.kind is not Part and c.name not in ("strengths",)],
                         ids=lambda case: f"{case.kind.__name__}{case.name}")  # fmt: skip
def test_two_parts_make_the_crystal(case: Case) -> None:
    """Energy, field and all that is said of sites, at any time: float64, and sums in another order."""
    lattice = LONG if LONG in case.lattices else Lattice.triangular(40, 3)
    if case.name == "out-of-plane":
        lattice = HONEYCOMB.resized(40, 3)
    if case.kind in (SubdomainField, Timed):
        return  # of one process, and of a benchmark on one
    field, given = case.make(lattice), states(lattice, replicas=2)
    distance = halo_of(field)
    if distance is None:
        assert case.kind in (ExactField, KPMField, LaggingElectrons, PairTail)
        return
    plane, half = lattice.n_sites // 40, 20
    halo = int(halo_cells(lattice, distance)[0])
    assert halo <= half
    own, results = slice(halo * plane, (halo + half) * plane), {}

    def evaluate(rank: int, total: Total) -> None:
        planes = torch.arange(half * rank - halo, half * (rank + 1) + halo).remainder(40)
        sites = (planes[:, None] * plane + torch.arange(plane)).flatten()
        part = part_of(field, lattice.resized(half + 2 * halo, *lattice.shape[1:]), own, total)
        results[rank] = part(given[:, sites], 3.0).with_sites(lambda values: values[:, own])

    threads = [threading.Thread(target=evaluate, args=pair) for pair in enumerate(summed_over(2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    whole = field(given, 3.0)
    for name in ("field", "density", "torque_error"):
        expected = getattr(whole, name)
        if expected is not None:
            found = torch.cat([getattr(results[k], name) for k in range(2)], dim=1)
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    for k in range(2):
        assert results[k].energy.dtype == torch.float64
        torch.testing.assert_close(results[k].energy, whole.energy, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("kind", [Heisenberg, Zeeman, Anisotropy, Sum], ids=lambda kind: kind.__name__)
def test_one_spin_of_a_million_is_seen_in_single_precision(kind: type[Field]) -> None:
    """All spins along z but one along x: an energy of -1 each (exchange: 2 for two neighbours of a chain) but for the
    changed terms, exact in float64. Sums in float32 would be off by up to 0.06."""
    lattice = Lattice.chain(2**20)
    make: dict[type[Field], Callable[[], SiteSum | Sum]] = {
        Heisenberg: lambda: Heisenberg(lattice, [1.0]),
        Zeeman: lambda: Zeeman(lattice, (0, 0, 1.0)),
        Anisotropy: lambda: Anisotropy(lattice, 1.0),
        Sum: lambda: Heisenberg(lattice, [1.0]) + Zeeman(lattice, (0, 0, 1.0)),
    }
    bonds, sites = {Heisenberg: (1, 0), Zeeman: (0, 1), Anisotropy: (0, 1), Sum: (1, 1)}[kind]
    state = torch.zeros(1, lattice.n_sites, 3)
    state[..., 2] = 1
    state[0, 7] = torch.tensor([1.0, 0.0, 0.0])
    expected = -bonds * (lattice.n_sites - 2) - sites * (lattice.n_sites - 1)
    assert float(make[kind]()(state).energy) == expected


def test_settings_whose_tables_are_made_do_not_change() -> None:
    field = electrons(TRIANGLES)
    field(states(TRIANGLES))
    with pytest.raises(UserError, match="another kT"):
        field.kT = 0.5
    with pytest.raises(UserError, match="another couplings"):
        Heisenberg(TRIANGLES, [1.0]).couplings = (2.0,)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind.__name__}{case.name}")
def test_fields_with_an_energy_are_its_slope_and_no_others(case: Case) -> None:
    """By a central difference in a random direction, whose error falls with the square of the step."""
    lattice = case.lattices[0]
    field, given, step = case.make(lattice), states(lattice), 1e-5
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(given.shape))
    along = along / along.norm(dim=(1, 2), keepdim=True)
    slope = (field(given + step * along).energy - field(given - step * along).energy) / (2 * step)
    missed = float((slope + (field(given).field * along).sum((1, 2))).abs().max())
    assert (missed < 1e-5) == field.has_energy, missed
