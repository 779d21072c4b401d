"""What holds for models of every kind: symmetry, one cutoff, files, and learning what they can represent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sdgnn
from sdgnn import Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.fields.testing import check_field
from sdgnn.lattice.periodic import nearest_image
from sdgnn.nn import ElectronsSettings, Model, Network, NetworkSettings, Settings, create
from sdgnn.nn.settings import BehlerParrinelloSettings, DistancesSettings, EquivariantSettings

ELECTRONS = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": 2.0}, kT=0.1, mu=-1.0)
"""At given mu, for mu at given filling depends on all spins."""
KINDS: dict[str, Settings] = {
    "network": NetworkSettings(cutoff=2, moments=9, hidden=3, electrons=ELECTRONS),
    "equivariant": EquivariantSettings(layers=1, channels=3),
    "behler-parrinello": BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=2, hidden=(8,)),
    "distances": DistancesSettings(layers=2, channels=3, shells=2),
}
LATTICES = [
    Lattice.chain(9),
    Lattice.square(6, 6),
    Lattice.triangular(6, 6),
    Lattice.honeycomb(4, 4),
    Lattice.kagome(3, 3),
    Lattice.cubic(4, 4, 4),
]

every_kind = pytest.mark.parametrize("kind", KINDS)


def trained_like(kind: str, lattice: Lattice) -> Model:
    """A model with every weight away from its special starting value, as training would leave it."""
    model = create(KINDS[kind], lattice, seed=3)
    generator = torch.Generator().manual_seed(5)
    if isinstance(model, Network):
        model = model.double()
        model.look([(model.on(lattice, torch.float64), spins.random(lattice, 4, seed=9))])
    size = 0.02 if isinstance(model, Network) else 0.3
    with torch.no_grad():
        for weight in model.parameters():
            weight += size * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return model


@every_kind
@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_symmetry_and_slope(kind: str, lattice: Lattice) -> None:
    check_field(
        trained_like(kind, lattice).on(lattice, dtype=torch.float64), tolerance=1e-9 if kind == "network" else 1e-8
    )


@every_kind
def test_the_halo_is_twice_the_cutoff(kind: str) -> None:
    lattice = Lattice.triangular(16, 16)
    model = trained_like(kind, lattice)
    if isinstance(model, Network) and model.readout is not None:
        model.readout.radius.fill_(torch.inf)  # or the mean over all sites enters
    field, states = model.on(lattice, dtype=torch.float64), spins.random(lattice, seed=1)
    before = field(states).field
    flipped = states.clone()
    flipped[:, 0] *= -1
    moved = (field(flipped).field - before).norm(dim=-1)[0]
    distance = torch.from_numpy(nearest_image(lattice.positions, lattice.cell)).norm(dim=-1)
    assert float(moved[distance > 2 * model.cutoff + 1e-6].max()) < 1e-12
    assert float(moved[distance > 2 * model.cutoff - 1.001].max()) > 1e-9, "the outermost spins are seen"


@every_kind
def test_files_keep_every_number_and_the_kind(kind: str, tmp_path: Path) -> None:
    lattice = Lattice.kagome(3, 3)
    model = trained_like(kind, lattice).float()
    loaded = sdgnn.load(model.save(tmp_path / "model.safetensors", {"note": kind}))
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    assert loaded.provenance == {"note": kind}
    larger = Lattice.kagome(4, 5)
    states = spins.random(larger, seed=1)
    torch.testing.assert_close(loaded.on(larger)(states).field, model.on(larger)(states).field, rtol=0, atol=0)


@every_kind
def test_another_lattice_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match="kagome"):
        create(KINDS[kind], Lattice.kagome(3, 3)).on(Lattice.square(6, 6))


@every_kind
def test_what_a_kind_has_no_use_for_is_refused(kind: str) -> None:
    """Electrons are those of networks, bonds those of equivariant ones; all kinds are asked in the same way."""
    lattice = Lattice.square(4, 4)
    model = create(KINDS[kind], lattice)
    electrons, bonds = {"kT": 0.1, "filling": 0.25}, {"bonds": lattice.bonds(1)}
    for where, given, taken_by in ((SDModel(lattice), electrons, "network"), (lattice, bonds, "equivariant")):
        if kind == taken_by:
            model.on(where, **given)
            continue
        with pytest.raises(UserError, match=r"for .*square lattices"):
            model.on(where, **given)


@pytest.mark.parametrize("kind", ["behler-parrinello", "distances"])
def test_free_positions_are_refused(kind: str) -> None:
    with pytest.raises(UserError, match="crystals"):
        create(KINDS[kind], Lattice.free([[0.0, 0.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 3.0]]))


def test_sites_that_are_not_equivalent_are_refused() -> None:
    """A Lieb lattice: corners have four neighbours, edges two."""
    lieb = Lattice.crystal([[2.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], (3, 3))
    with pytest.raises(UserError, match="equivalent"):
        create(KINDS["behler-parrinello"], lieb)


def test_distances_do_not_tell_straight_from_bent() -> None:
    """Square lattice, one layer on nearest neighbours: exchanging two of a site's neighbours leaves its energy."""
    lattice = Lattice.square(8, 8)
    states = spins.random(lattice, seed=3)
    centre = lattice.find([[4.0, 4.0]])[0]
    right, up = lattice.find([[5.0, 4.0], [4.0, 5.0]])
    swapped = states.clone()
    swapped[:, [right, up]] = states[:, [up, right]]
    for settings, tells in ((DistancesSettings(layers=1, channels=4, shells=1), False), (KINDS["equivariant"], True)):
        field = create(settings, lattice, seed=1).on(lattice, dtype=torch.float64)
        change = field.site_energies(swapped)[0, centre] - field.site_energies(states)[0, centre]
        assert (abs(float(change)) > 1e-7) == tells
