"""Blocks of large crystals against the crystal in one piece, and the memory that they keep to."""

from __future__ import annotations

import math

import pytest
import torch

from sdgnn import ImplicitMidpoint, Lattice, simulate, spins
from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB, Counted
from sdgnn.dynamics import observers
from sdgnn.lattice import blocks, halo_cells
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, Model, SiteField, create
from sdgnn.nn.baselines import site_model
from sdgnn.nn.committee import Committee
from sdgnn.nn.settings import BehlerParrinelloSettings, TwoEnergiesSettings

LATTICES = [
    Lattice.chain(150),
    Lattice.square(40, 9),
    Lattice.triangular(41, 37),
    Lattice.kagome(23, 5),
    Lattice.cubic(30, 4, 4),
]


def share(network: Model, lattice: Lattice, part: float = 0.75) -> float:
    """GB in which a part of the lattice's sites fits, in float64."""
    field = network.on(lattice, torch.float64)
    return part * lattice.n_sites * getattr(field, "parts", [field])[0].bytes_per_site / GB


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_blocks_are_equal_to_the_whole(lattice: Lattice) -> None:
    """Float64, and fields of size 1: sums in another order differ by less than 1e-12."""
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice, seed=1)
    state = spins.random(lattice, replicas=2, seed=0)
    whole = network.on(lattice, torch.float64)
    assert whole._blocks == (whole, [])
    field = network.on(lattice, torch.float64, memory=share(network, lattice))
    small, parts = field._blocks
    assert len(parts) > 1 and small.lattice.n_sites <= lattice.n_sites * 3 // 4
    in_blocks, undivided = field(state), whole(state)
    assert (in_blocks.field - undivided.field).abs().max() < 1e-12
    assert (in_blocks.energy - undivided.energy).abs().max() < 1e-12 * lattice.n_sites


@pytest.mark.parametrize("lattice", [LATTICES[0], LATTICES[2], LATTICES[4]], ids=repr)
def test_halos_are_needed(lattice: Lattice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: halos smaller by one cell give other fields."""
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice, seed=1)
    state = spins.random(lattice, seed=0)
    whole = network.on(lattice, torch.float64)(state)
    monkeypatch.setattr(site_model, "blocks", lambda lattice, halo, largest: blocks.blocks(lattice, halo - 1, largest))
    field = network.on(lattice, torch.float64, memory=share(network, lattice))
    assert (field(state).field - whole.field).abs().max() > 1e-9


@pytest.mark.parametrize("kind", ["behler-parrinello", "two-energies", "committee"])
def test_every_kind_of_model_keeps_to_the_limit(kind: str) -> None:
    lattice = Lattice.triangular(48, 40)
    settings = {
        "behler-parrinello": BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=1, hidden=(4,)),
        "two-energies": TwoEnergiesSettings(layers=1, channels=2),
        "committee": EquivariantSettings(layers=1, channels=2),
    }[kind]
    model = create(settings, lattice, seed=0)
    limit = share(model, lattice, 0.6)
    if kind == "committee":
        model = Committee([model, create(settings, lattice, seed=1)])
    state = spins.random(lattice, replicas=2, seed=0)
    field = model.on(lattice, torch.float64, memory=limit)
    for part in getattr(field, "parts", [field]):
        assert len(part._blocks[1]) > 1
    in_blocks, whole = field(state), model.on(lattice, torch.float64)(state)
    assert (in_blocks.field - whole.field).abs().max() < 1e-12
    assert (in_blocks.energy - whole.energy).abs().max() < 1e-12 * lattice.n_sites


def test_bonds_of_ones_own_stay_whole() -> None:
    """They have no place in another crystal, whatever the limit: the field does not change."""
    lattice = Lattice.triangular(41, 37)
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice, seed=1)
    bonds = lattice.bonds(1)
    kept = ~(((bonds.source == 0) & (bonds.target == 1)) | ((bonds.source == 1) & (bonds.target == 0)))
    fewer = type(bonds)(bonds.source[kept], bonds.target[kept], bonds.vector[kept], bonds.shell[kept])
    state = spins.random(lattice, seed=0)
    whole = network.on(lattice, torch.float64, bonds=fewer)(state)
    limited = network.on(lattice, torch.float64, bonds=fewer, memory=share(network, lattice))(state)
    assert torch.equal(limited.field, whole.field)


@pytest.mark.parametrize(
    ("lattice", "cells"), [(LATTICES[0], [6]), (LATTICES[2], [6, 6]), (Lattice.honeycomb(20, 20), [5, 5])], ids=repr
)
def test_halos_of_networks_count_bonds(lattice: Lattice, cells: list[int]) -> None:
    """Two layers have a cutoff of three bonds, a halo of six: six cells where each bond leads into the next
    one. On honeycombs, rows of cells are 1.5 apart and hold sites 0.5 apart: 6 / 1.5 cells and one more."""
    network = EquivariantNetwork(EquivariantSettings(layers=2, channels=1), lattice)
    assert network.halo_cells(lattice).tolist() == cells


def test_cores_cover_every_site_once() -> None:
    lattice = Lattice.kagome(60, 50)
    small, parts = blocks.blocks(lattice, halo_cells(lattice, 6), largest=4000)
    assert small.n_sites <= 4000
    assert sorted(site for block in parts for site in block.sites[block.core]) == list(range(lattice.n_sites))


def test_small_lattices_stay_whole() -> None:
    lattice = Lattice.square(12, 12)
    assert blocks.blocks(lattice, halo_cells(lattice, 10), largest=lattice.n_sites) == (lattice, [])
    assert isinstance(EquivariantNetwork(EquivariantSettings(), lattice).on(lattice)._blocks[0], SiteField)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [2, 8])
def test_bytes_per_site_are_those_of_larger_lattices(dtype: torch.dtype, channels: int) -> None:
    """Counted on a small piece: tables and tensors all grow with the number of sites."""
    lattice = Lattice.triangular(64, 72)
    network = EquivariantNetwork(EquivariantSettings(layers=2, channels=channels), lattice)
    field, state = network.on(lattice, dtype, memory=math.inf), spins.random(lattice, seed=0).to(dtype)
    with Counted() as counted:
        field(state)
    assert math.isclose(field.bytes_per_site, counted.peak / lattice.n_sites, rel_tol=0.05)


@pytest.mark.parametrize("memory", [0.0, -1.0, math.nan])
def test_no_memory_is_refused(memory: float) -> None:
    lattice = Lattice.square(6, 6)
    with pytest.raises(UserError, match="positive"):
        EquivariantNetwork(EquivariantSettings(), lattice).on(lattice, memory=memory)


def test_too_little_memory_is_refused_with_what_is_needed() -> None:
    lattice = Lattice.triangular(100, 100)
    field = EquivariantNetwork(EquivariantSettings(), lattice).on(lattice, memory=0.001)
    with pytest.raises(UserError, match=r"at least .* GB"):
        field(spins.random(lattice, seed=0))


def test_blocks_conserve_what_the_whole_conserves() -> None:
    """Undamped, by the implicit midpoint rule, 16 steps: the same energies but for sums in another order, and a drift
    that is that of the rule, of second order in dt: bounded by that of twice the step."""
    lattice = Lattice.chain(40)
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    whole, in_blocks = (network.on(lattice, torch.float64, memory=m) for m in (None, share(network, lattice)))
    assert len(in_blocks._blocks[1]) > 1 and not whole._blocks[1]
    start = spins.random(lattice, seed=0)

    def energies(field: SiteField, dt: float, steps: int) -> torch.Tensor:
        run = simulate(field, start, ImplicitMidpoint(dt=dt, damping=0.0), steps, observers=[observers.energy(1)])
        return torch.from_numpy(run.trajectory["energy"].values[:, 0])

    found, expected, coarse = energies(in_blocks, 0.05, 16), energies(whole, 0.05, 16), energies(whole, 0.1, 8)
    assert float((found - expected).abs().max()) < 1e-9
    drift = float((found - found[0]).abs().max())
    assert drift < float((coarse - coarse[0]).abs().max()) / 2
