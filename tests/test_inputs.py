"""What every public entry does with spins as people give them, and with torch's defaults as people set them.

The same numbers give the same answer whatever holds them, and torch's mode, default dtype and default device change
nothing; what cannot be is refused in one line.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice, SDModel, analysis, data, fields, spins
from sdgnn.common.errors import UserError
from sdgnn.dynamics import estimate
from sdgnn.electrons import LaggingElectrons
from sdgnn.electrons.bonds import bond_energies
from sdgnn.electrons.conductivities import conductivity, conductivity_moments
from sdgnn.electrons.densities import density_of_states, local_density_of_states
from sdgnn.electrons.gap import spectral_gap
from sdgnn.nn import EquivariantSettings, create
from sdgnn.nn.committee import Committee
from sdgnn.nn.settings import BehlerParrinelloSettings, DistancesSettings, TwoEnergiesSettings

LATTICE = Lattice.triangular(4, 4)
MODEL = SDModel(LATTICE, exchange=2.0)
STATES = spins.random(LATTICE, replicas=2, seed=3)
HEISENBERG = fields.Heisenberg(LATTICE, [1.0])
PEAKS = analysis.order_peaks("tetrahedral", LATTICE)
BATH = {"dt": 0.05, "damping": 0.1, "kT": 0.1}


def integrated(integrator: Any) -> Callable[[Any], Any]:
    """Two steps by hand."""

    def entry(given: Any) -> Any:
        state = integrator.init(HEISENBERG, given, seed=1)
        return integrator.step(HEISENBERG, integrator.step(HEISENBERG, state)).spins

    return entry


def learned(settings: Any) -> Callable[[Any], Any]:
    return lambda given: create(settings, LATTICE).on(LATTICE)(given)


def committee(given: Any) -> Any:
    members = [create(BehlerParrinelloSettings(shells=1), LATTICE, seed) for seed in (0, 1)]
    return Committee(members).on(LATTICE)(given)


ENTRIES: dict[str, Callable[[Any], Any]] = {
    "exact": lambda given: sdgnn.ExactField(MODEL, kT=0.1, filling=0.3, twists=(2, 1))(given),
    "label": lambda given: data.label(sdgnn.ExactField(MODEL, kT=0.1, filling=0.3), given).field,
    "exact at kT = 0": lambda given: sdgnn.ExactField(MODEL, kT=0.0, filling=0.3)(given),
    "exact mu": lambda given: sdgnn.ExactField(MODEL, kT=0.1, filling=0.3).chemical_potential(given),
    "kpm": lambda given: sdgnn.KPMField(MODEL, kT=0.3, filling=0.3, moments=64, vectors=16)(given),
    "kpm to a tolerance": lambda given: sdgnn.KPMField(MODEL, kT=0.5, mu=-2.0, tolerance=0.2)(given),
    "truncated": lambda given: sdgnn.TruncatedField(MODEL, kT=0.1, filling=0.3, cutoff=2, moments=11)(given),
    "lagging": lambda given: LaggingElectrons(MODEL, kT=0.1, mu=-2.0, rate=0.5)(given),
    "heisenberg": HEISENBERG,
    "sum": lambda given: (HEISENBERG + fields.Zeeman(LATTICE, field=(0, 0, 0.5)))(given),
    "network": lambda given: sdgnn.load("triangular-tetrahedral").on(LATTICE)(given),
    "universal network": lambda given: sdgnn.load("universal").on(MODEL, kT=0.1, filling=0.25)(given),
    "equivariant": learned(EquivariantSettings(layers=1, channels=2)),
    "behler-parrinello": learned(BehlerParrinelloSettings(shells=1)),
    "committee": committee,
    "bond energies": lambda given: bond_energies(MODEL, given, kT=0.2, filling=0.3),
    "bond energies by moments": lambda given: bond_energies(MODEL, given, kT=0.3, filling=0.3, moments=64),
    "density of states": lambda given: density_of_states(MODEL, given, 32).moments,
    "local density of states": lambda given: local_density_of_states(MODEL, given, [0], 32).density(0.3, 0.0),
    "conductivity": lambda given: conductivity(MODEL, given, kT=0.2, filling=0.3),
    "conductivity by moments": lambda given: conductivity_moments(MODEL, given, 128, 2).conductivity(0.5, 0.0),
    "gap": lambda given: spectral_gap(MODEL, given, filling=0.25).middle,
    **{
        name: integrated(getattr(sdgnn, name)(**BATH))
        for name in ("Heun", "ImplicitMidpoint", "SemiImplicitB", "DepondtMertens")
    },
    "MonteCarlo": integrated(sdgnn.MonteCarlo(kT=0.1)),
    "HybridMonteCarlo": integrated(sdgnn.HybridMonteCarlo(dt=0.3, kT=0.1)),
    "ParallelTempering": integrated(
        sdgnn.ParallelTempering(kT=(0.1, 0.2), moves=sdgnn.HybridMonteCarlo(dt=0.3), every=1)
    ),
    "simulate": lambda given: sdgnn.simulate(HEISENBERG, given, sdgnn.Heun(**BATH), steps=2, seed=1).spins,
    "suggest_dt": lambda given: (sdgnn.suggest_dt(HEISENBERG, given, sdgnn.Heun(**BATH)),),
    "relax": lambda given: sdgnn.relax(HEISENBERG, given, evaluations=3).spins,
    "estimate": lambda given: (estimate(HEISENBERG, given, sdgnn.Heun(**BATH), 5).steps,),
    "noisy": lambda given: spins.noisy(given, 0.3),
    "rotate": lambda given: spins.rotate(given, np.eye(3)),
    "rotate_randomly": lambda given: spins.rotate_randomly(given),
    **{
        name: (lambda given, name=name: getattr(analysis, name)(given, LATTICE))
        for name in (
            "correlation", "spin_correlation", "local_correlation", "local_nematicity", "parallel_bonds",
            "parallel_sites", "radial_correlation",
            "structure_factor", "scalar_chirality", "mean_chirality", "mean_absolute_chirality", "site_chirality",
            "skyrmion_number", "solid_angles", "length_from_correlation",
        )
    },
    "bragg_weight": lambda given: analysis.bragg_weight(given, LATTICE, PEAKS),
    "order_weight": lambda given: analysis.order_weight(given, LATTICE, "tetrahedral"),
    "overlap": lambda given: analysis.overlap(given, spins.tetrahedral(LATTICE)[0]),
    "length_from_structure_factor": lambda given: analysis.length_from_structure_factor(given, LATTICE, order=PEAKS),
}  # fmt: skip

FORMS: dict[str, Callable[[], Any]] = {
    "not contiguous": lambda: STATES.transpose(0, 1).contiguous().transpose(0, 1),
    "numpy": STATES.numpy,
    "numpy backwards in memory": lambda: STATES.numpy()[:, ::-1].copy()[:, ::-1],
    "numpy of the other byte order": lambda: STATES.numpy().astype(">f8"),
    "list": STATES.tolist,
    "requires grad": lambda: STATES.clone().requires_grad_(),
}


def numbers(result: Any) -> list[torch.Tensor]:
    """All numbers of a result."""
    if isinstance(result, torch.Tensor):
        return [result]
    parts = result if isinstance(result, tuple) else vars(result).values()
    return [torch.as_tensor(np.asarray(part), device="cpu") for part in parts if part is not None]


@cache
def expected(name: str) -> list[torch.Tensor]:
    """The answer to a float64 tensor, contiguous and without autograd."""
    return numbers(ENTRIES[name](STATES))


def check(name: str, given: Any) -> None:
    found = numbers(ENTRIES[name](given))
    for one, other in zip(found, expected(name), strict=True):
        assert one.device.type == "cpu"
        assert not one.requires_grad
        # the same operations; strides may change the order of sums, and threads of KPM theirs
        rounding = 1e-5 if one.dtype == torch.float32 else 1e-9
        torch.testing.assert_close(one, other, rtol=rounding, atol=rounding, equal_nan=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ENTRIES)
def test_the_same_numbers_give_the_same_answer(name: str, form: str) -> None:
    check(name, FORMS[form]())


@contextmanager
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def elsewhere() -> Iterator[None]:
    """On another device by default: one that holds no numbers, so that nothing may be put there."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("mode", [double, elsewhere, torch.inference_mode], ids=lambda mode: mode.__name__)
@pytest.mark.parametrize("name", ENTRIES)
def test_torchs_defaults_and_modes_change_nothing(name: str, mode: Any) -> None:
    given, _ = STATES.clone(), expected(name)
    with mode():
        check(name, given)


@pytest.mark.parametrize("name", ENTRIES)
def test_spins_made_in_inference_mode_are_spins(name: str) -> None:
    with torch.inference_mode():
        given = STATES.clone()
    check(name, given)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (STATES[:0], "at least one replica|overlap of"),
        (STATES.half(), "float16.*float32 or float64"),
        (STATES.numpy().astype(int), "int64.*float32 or float64"),
        ([[0.0, 1.0], [1.0]], "no array"),
        (["up", "down"], "no array|dtype"),
    ],
    ids=["no replica", "half", "whole numbers", "ragged", "words"],
)
def test_what_are_no_spins_is_refused_in_one_line(name: str, given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        ENTRIES[name](given)
    assert "\n" not in str(refused.value)


RUN = sdgnn.simulate(HEISENBERG, STATES, sdgnn.Heun(dt=0.05, damping=0.1), steps=20).trajectory.load()

OF_A_RUN: dict[str, Callable[[Any], Any]] = {
    "equilibrium": analysis.equilibrium,
    "densities": lambda run: analysis.densities(run, sdgnn.ExactField(MODEL, kT=0.1, filling=0.3), LATTICE),
    "dynamical structure factor": lambda run: analysis.dynamical_structure_factor(run, LATTICE, PEAKS),
    "autocorrelation time": lambda run: analysis.autocorrelation_time(run["energy"].values.T.astype(np.float64)),
    "autocorrelation": lambda run: analysis.autocorrelation([torch.from_numpy(spin) for spin in run["spins"].values]),
    "frozen fraction": lambda run: analysis.frozen_fraction([torch.from_numpy(e > 0) for e in run["energy"].values]),
}


@pytest.mark.parametrize("name", OF_A_RUN)
def test_a_run_without_times_is_refused(name: str) -> None:
    with pytest.raises(UserError) as refused:
        OF_A_RUN[name](RUN.isel(time=slice(0, 0)))
    assert "\n" not in str(refused.value)


LARGE = [2**32, 2**63, 2**64 + 5, 10**30]


def initial(settings: Any, seed: int) -> torch.Tensor:
    """All first weights of a model."""
    return torch.cat([weight.detach().flatten() for weight in create(settings, LATTICE, seed).parameters()])


SEEDED: dict[str, Callable[[int], Any]] = {
    "random": lambda seed: spins.random(LATTICE, seed=seed),
    "noisy": lambda seed: spins.noisy(STATES, 0.3, seed=seed),
    "rotate_randomly": lambda seed: spins.rotate_randomly(STATES, seed=seed),
    "kpm": lambda seed: sdgnn.KPMField(MODEL, kT=0.3, mu=-2.0, moments=16, vectors=4, seed=seed)(STATES).field,
    "density of states": lambda seed: density_of_states(MODEL, STATES, 16, 4, seed=seed).moments,
    "disorder": lambda seed: torch.from_numpy(sdgnn.BondDisorder(width=0.1, seed=seed).draw(LATTICE.bonds(1))),
    "amorphous": lambda seed: torch.from_numpy(Lattice.amorphous(12, seed=seed).positions.copy()),
    "diluted": lambda seed: torch.from_numpy(LATTICE.diluted(0.3, seed=seed).positions.copy()),
    "equivariant": lambda seed: initial(EquivariantSettings(layers=1, channels=2), seed),
    "two energies": lambda seed: initial(TwoEnergiesSettings(layers=1, channels=2), seed),
    "distances": lambda seed: initial(DistancesSettings(layers=1, channels=2, shells=1), seed),
    "behler-parrinello": lambda seed: initial(BehlerParrinelloSettings(shells=1), seed),
}


@pytest.mark.parametrize("name", SEEDED)
def test_seeds_of_any_size_are_seeds_of_their_own(name: str) -> None:
    drawn = [SEEDED[name](seed) for seed in (0, *LARGE)]
    assert torch.equal(SEEDED[name](LARGE[0]), drawn[1])
    for k, one in enumerate(drawn):
        assert all(one.shape != other.shape or not torch.equal(one, other) for other in drawn[k + 1 :])


@pytest.mark.parametrize("name", sorted(set(SEEDED) - {"disorder"}))
def test_what_is_no_seed_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"seed.*whole number >= 0"):
        SEEDED[name](-1)


def test_label_sets_have_seeds_of_64_bits(tmp_path: Path) -> None:
    exact, seeds = sdgnn.ExactField(MODEL, kT=0.2, filling=0.3), (0, 2**63, 2**64 - 1)
    sets = [data.generate(exact, [data.Random(2)], tmp_path / f"{s}.h5", seed=s, workers=1) for s in seeds]
    again = [data.read(tmp_path / f"{seed}.h5") for seed in seeds]
    assert [labels.origin.seed for labels in again] == list(seeds)
    assert all(torch.equal(first.spins, second.spins) for first, second in zip(sets, again, strict=True))
    assert not torch.equal(again[0].spins, again[1].spins)
    with pytest.raises(UserError, match=r"seed 18446744073709551616.*at most"):
        data.generate(exact, [data.Random(2)], tmp_path / "larger.h5", seed=2**64)


def test_noise_of_a_run_has_seeds_of_64_bits() -> None:
    """Its generator's key has so many: larger ones are refused by name, and those up to there are all different."""
    heun = sdgnn.Heun(**BATH)
    runs = [sdgnn.simulate(HEISENBERG, STATES, heun, steps=1, seed=seed).spins for seed in (0, 2**63, 2**64 - 1)]
    assert not torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[1], runs[2])
    with pytest.raises(UserError, match=r"seed 18446744073709551616.*at most 18446744073709551615"):
        sdgnn.simulate(HEISENBERG, STATES, heun, steps=1, seed=2**64)


MAKERS = {
    "arange", "as_tensor", "asarray", "empty", "eye", "full", "hann_window", "linspace", "logspace", "ones", "rand",
    "randint", "randn", "randperm", "scalar_tensor", "sparse_coo_tensor", "sparse_csr_tensor", "tensor", "zeros",
}  # fmt: skip
FLOATING = {"empty", "eye", "linspace", "logspace", "ones", "rand", "randn", "zeros"}


def test_no_tensor_of_the_package_is_made_by_torchs_defaults() -> None:
    """Where a call makes a tensor, device and dtype stand in the call."""
    found = []
    for path in sorted(Path(sdgnn.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MAKERS:
                given = {keyword.arg for keyword in node.keywords}
                wanted = {"device", "dtype"} if node.func.attr in FLOATING else {"device"}
                if ast.unparse(node.func.value) == "torch" and not wanted <= given:
                    found.append(f"{path.name}:{node.lineno} {ast.unparse(node)} without {wanted - given}")
    assert found == []
