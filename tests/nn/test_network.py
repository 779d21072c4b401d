"""The network: its electrons, its learned part, where that is switched off, and what it keeps of the electrons."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers.networks import SMALL, learned, randomise
from helpers.parts import summed_over

import sdgnn
from sdgnn import BondDisorder, ExponentialHopping, ImplicitMidpoint, Lattice, SDModel, TruncatedField, simulate
from sdgnn.common.errors import UserError
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.fields.protocol import Total
from sdgnn.fields.testing import check_field
from sdgnn.lattice import halo_cells
from sdgnn.nn import ElectronsSettings, Network, NetworkField, NetworkSettings

LATTICES = {
    "chain": Lattice.chain(9),
    "square": Lattice.square(4, 5),
    "triangular": Lattice.triangular(4, 4),
    "honeycomb": Lattice.honeycomb(3, 3),
    "kagome": Lattice.kagome(3, 3),
    "cubic": Lattice.cubic(3, 3, 2),
}
OTHERS: dict[str, Callable[[], SDModel]] = {
    "two shells": lambda: SDModel(Lattice.square(5, 5), hopping=(1.0, -0.3), exchange=2.0),
    "vacancies": lambda: SDModel(Lattice.square(5, 5).without([3, 17]), exchange=2.0),
    "amorphous": lambda: SDModel(Lattice.amorphous(20, 2, 0, 0.8), hopping=ExponentialHopping(), exchange=2.0),
    "bond disorder": lambda: SDModel(Lattice.triangular(4, 4), exchange=2.0, disorder=BondDisorder(width=0.3)),
}
SQUARE = SDModel(LATTICES["square"], exchange=2.0)


def model_of(name: str) -> SDModel:
    return OTHERS[name]() if name in OTHERS else SDModel(LATTICES[name], exchange=2.0)


def plain(field: NetworkField) -> TruncatedField:
    """The walk of a network alone, made anew."""
    walk = field.electrons
    return TruncatedField(walk.model, walk.kT, walk.mu, walk.filling, walk.cutoff, walk.moments)


@pytest.mark.parametrize("name", [*LATTICES, *OTHERS])
def test_untrained_it_is_the_plain_walk(name: str) -> None:
    """Whatever it has looked at; in the dtype that it computes in, where the same loops run."""
    model = model_of(name)
    states = sdgnn.spins.random(model.lattice, 2, seed=0)
    for dtype in (torch.float32, torch.float64):
        network = Network(NetworkSettings(**SMALL), model.lattice).to(dtype)
        field = network.on(model, dtype, kT=0.1, filling=0.3)
        network.look([(field, states)])
        found, expected = field(states), plain(field)(states.to(dtype))
        for one, other in ((found.energy, expected.energy), (found.field, expected.field), (found.mu, expected.mu)):
            assert torch.equal(one, other)
        assert found.density is None and field.electrons(states.to(dtype)).density is not None


@pytest.mark.parametrize("name", [*LATTICES, *OTHERS])
def test_slope_and_all_symmetries(name: str) -> None:
    """Float64, with random weights, where sites are known, half known and hardly known.

    Rounding of the prediction leaves 1e-10 of the plain walk; bond disorder alone breaks the crystal's symmetry.
    """
    field = learned(model_of(name))
    known = field.gate(sdgnn.spins.random(field.lattice, 2, seed=0))
    assert float(known.min()) < 0.5 < float(known.max())
    broken = {"lattice"} if name == "bond disorder" else set()
    check_field(field, broken=broken, tolerance=1e-9)
    if broken:
        with pytest.raises(AssertionError, match="lattice"):
            check_field(field)


@pytest.mark.parametrize("ensemble", [{"filling": 0.3}, {"mu": -1.5}], ids=str)
def test_every_component_is_the_slope(ensemble: dict[str, float]) -> None:
    """Central differences of step h = 1e-6, along every axis of three sites, two of lengths other than 1.

    The learned part is steep where sites are half known: third derivatives of 1e6 leave h^2 / 6 of them.
    """
    field, states = learned(SQUARE, **ensemble), sdgnn.spins.random(SQUARE.lattice, seed=4)
    states[:, 0] *= 0.99
    states[:, 1] *= 1.01
    found = field(states).field
    assert float((found - plain(field)(states).field).abs().max()) > 0.05, "the learned part is there"
    for site in range(3):
        for axis in range(3):
            step = torch.zeros_like(states)
            step[0, site, axis] = 1e-6
            slope = float((field(states + step).energy - field(states - step).energy) / 2e-6)
            assert -slope == pytest.approx(float(found[0, site, axis]), abs=1e-5)


def test_energy_is_that_of_the_electrons_and_a_function_of_their_moments() -> None:
    """E = E_truncated + sum_i [f(M(i)) + c], with f written out from the weights and moments of tensor operations."""
    field, states = learned(SQUARE), sdgnn.spins.random(SQUARE.lattice, 2, seed=5)
    walk = field.electrons._walk(states, 0)[0]
    tensors = TensorWalk(SQUARE, walk.settings, torch.float64, torch.device("cpu"))
    moments = tensors.moments(states)[0]
    more, fewer = moments[..., 0, 2:], moments[..., 1, 2:13]
    row = torch.cat([more, fewer], dim=-1)
    r = field.network.readout
    assert r is not None and row.shape[-1] == len(r.mean) == 15 + 11
    away = row - r.mean
    distance = torch.einsum("dm,rm->rd", r.directions, away.mean(1)).square().sum(-1) / r.radius
    hidden = sum(
        r.outward[k] * torch.tanh((away / r.spread * r.inward[k]).sum(-1) + r.bias[k])
        - r.outward[k] * torch.tanh(r.bias[k])
        for k in range(len(r.outward))
    )
    f = ((0.01 * away * r.factors).sum(-1) + hidden) / (1 + distance[:, None] ** 4)
    expected = plain(field)(states).energy + (f + 0.7).sum(1)
    torch.testing.assert_close(field(states).energy, expected.detach(), rtol=1e-10, atol=1e-9)


def test_number_of_electrons_and_mu_are_those_of_the_plain_walk() -> None:
    """mu is that of the walk, state by state, and -dOmega/dmu of the network there is the number of electrons."""
    field, states = learned(SQUARE), sdgnn.spins.random(SQUARE.lattice, 2, seed=6)
    found = field(states)
    assert torch.equal(found.mu, plain(field)(states).mu)
    assert found.mu is not None and len(set(found.mu.tolist())) == 2
    electrons = 0.3 * SQUARE.n_orbitals
    for replica, mu in enumerate(found.mu.tolist()):
        one = states[replica : replica + 1]

        def of(mu: float) -> sdgnn.fields.FieldResult:
            given = field.network.on(SQUARE, torch.float64, kT=0.1, mu=mu)
            return given(one)  # noqa: B023

        torch.testing.assert_close(of(mu).field[0], found.field[replica], rtol=0, atol=1e-11)
        torch.testing.assert_close(of(mu).energy[0] + mu * electrons, found.energy[replica], rtol=1e-12, atol=1e-9)
        number = float(of(mu - 1e-4).energy - of(mu + 1e-4).energy) / 2e-4
        assert number == pytest.approx(electrons, abs=1e-5)


def test_the_energy_is_conserved() -> None:
    """Undamped, the drift of the whole energy is that of the scheme, of order dt^2, and vanishes with it; the energy of
    the electrons alone moves as far with any step (the control)."""
    model = SDModel(Lattice.square(4, 4), exchange=2.0)
    field, start = learned(model), sdgnn.spins.random(model.lattice, seed=1)
    drift, moved = [], []
    for steps in (3, 6):
        run = simulate(field, start, ImplicitMidpoint(dt=0.03 / steps, damping=0.0), steps=steps)
        drift.append(float(field(run.spins).energy - field(start).energy))
        moved.append(float(plain(field)(run.spins).energy - plain(field)(start).energy))
    assert drift[0] / drift[1] == pytest.approx(4, rel=0.1)
    assert moved[0] == pytest.approx(moved[1], rel=0.1) and abs(moved[1]) > 10 * abs(drift[1])


@pytest.mark.parametrize("ensemble", [{"filling": 0.3}, {"mu": -1.5}], ids=str)
def test_two_parts_make_the_crystal(ensemble: dict[str, float]) -> None:
    """Energy, field and mu; float64, and sums in another order. Too narrow a halo fails (the control)."""
    lattice = Lattice.square(18, 3)
    field, states = learned(SDModel(lattice, exchange=2.0), **ensemble), sdgnn.spins.random(lattice, 2, seed=2)
    whole = field(states)
    assert field.halo is not None
    enough = int(halo_cells(lattice, field.halo)[0])
    for halo in (enough, enough // 2):
        results: dict[int, sdgnn.fields.FieldResult] = {}

        def evaluate(rank: int, total: Total, halo: int = halo, results: dict = results) -> None:
            planes = torch.arange(9 * rank - halo, 9 * rank + 9 + halo).remainder(18)
            sites = (planes[:, None] * 3 + torch.arange(3)).flatten()
            part = field.part(lattice.resized(9 + 2 * halo, 3), slice(3 * halo, 3 * (halo + 9)), total)
            results[rank] = part(states[:, sites])

        threads = [threading.Thread(target=evaluate, args=(k, total)) for k, total in enumerate(summed_over(2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        own = slice(3 * halo, 3 * (halo + 9))
        joined = torch.cat([results[k].field[:, own] for k in range(2)], dim=1)
        if halo < enough:
            assert float((joined - whole.field).abs().max()) > 1e-3
            continue
        torch.testing.assert_close(joined, whole.field, rtol=0, atol=1e-10)
        for k in range(2):
            torch.testing.assert_close(results[k].energy, whole.energy, rtol=1e-12, atol=1e-9)
            torch.testing.assert_close(results[k].mu, whole.mu, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_what_was_seen_it_is_the_plain_walk(dtype: torch.dtype) -> None:
    """A network that has looked at a nearly ordered magnet knows fresh states of it, and not random ones: there the
    learned part is off, in single precision too, where d^8 would overflow."""
    model = SDModel(Lattice.triangular(6, 6), exchange=2.0)
    network = Network(NetworkSettings(**SMALL, hidden=4), model.lattice).to(dtype)
    field = network.on(model, dtype, kT=0.1, filling=0.25)
    near = [sdgnn.spins.noisy(sdgnn.spins.tetrahedral(model.lattice), 0.02, seed=k).to(dtype) for k in range(40)]
    network.look([(field, torch.cat(near[:20]))])
    randomise(network)
    fresh, random = torch.cat(near[20:]), sdgnn.spins.random(model.lattice, 20, seed=0).to(dtype)
    assert float(field.gate(fresh).mean()) > 0.95 and float(field.gate(random).max()) < 1e-6
    rounding = 1e-5 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(field(random).field, plain(field)(random).field, rtol=0, atol=rounding)
    moved = field(fresh).field - plain(field)(fresh).field
    assert float(moved.norm(dim=-1).mean()) > 0.05


def test_what_it_has_seen_is_that_of_all_label_sets() -> None:
    """Moments of two magnets and lattices: both are known, in whichever order they come; the mean is that of all."""
    hot = SDModel(Lattice.square(4, 4), exchange=2.0)
    cold = SDModel(Lattice.square(4, 6), exchange=6.0)
    network = Network(NetworkSettings(**SMALL, hidden=4), hot.lattice).double()
    assert network.readout is not None
    fields = [network.on(model, torch.float64, kT=0.1, filling=0.3) for model in (hot, cold)]
    states = [sdgnn.spins.random(field.lattice, 8, seed=3) for field in fields]
    network.look(list(zip(fields, states, strict=True)))
    rows = [
        network.readout.chosen(field.electrons.local_moments(state)).flatten(0, 1)
        for field, state in zip(fields, states, strict=True)
    ]
    torch.testing.assert_close(network.readout.mean, torch.cat(rows).mean(0), rtol=0, atol=1e-12)
    for field in fields:
        assert float(field.gate(sdgnn.spins.random(field.lattice, 4, seed=7)).min()) > 0.5
    network.look([(fields[1], states[1])])
    assert float(fields[0].gate(states[0]).mean()) < 0.1, "positive control: seen alone, the other is not known"


def test_looking_again_keeps_what_was_learned() -> None:
    """Where sites are known before and after, f changes by a constant alone: g is 1 there, so let all be known."""
    field = learned(SQUARE)
    readout = field.network.readout
    assert readout is not None
    readout.radius.fill_(1e12)
    states = sdgnn.spins.random(SQUARE.lattice, 2, seed=8)
    before = field(states)
    magnetised = sdgnn.spins.random(SQUARE.lattice, 2, seed=1) + torch.tensor([0.0, 0.0, 2.0])
    field.network.look([(field, magnetised / magnetised.norm(dim=-1, keepdim=True))])
    assert float((readout.mean - learned(SQUARE).network.readout.mean).abs().max()) > 1e-3
    readout.radius.fill_(1e12)
    after = field(states)
    torch.testing.assert_close(after.field, before.field, rtol=0, atol=1e-10)
    assert float((after.energy - before.energy).diff().abs()) < 1e-9


def test_the_halo_is_twice_the_cutoff() -> None:
    """At given mu; at fixed filling mu carries the change of a spin everywhere."""
    model = SDModel(Lattice.square(14, 14), exchange=2.0)
    field, state = learned(model, mu=-1.5), sdgnn.spins.random(model.lattice, seed=1)
    assert field.readout is not None
    field.readout.radius.fill_(torch.inf)  # or the mean over all sites enters
    flipped = state.clone()
    flipped[:, 0] *= -1
    moved = (field(flipped).field - field(state).field).norm(dim=-1)[0]
    away = np.abs(model.lattice.positions - model.lattice.positions[0])
    bonds = torch.from_numpy(np.minimum(away, 14 - away).sum(1))
    assert field.network.cutoff == 2 and field.halo == 4
    assert float(moved[bonds > 4.5].max()) < 1e-11
    assert float(moved[bonds > 3.5].max()) > 1e-9


def test_electrons_of_a_hamiltonian_or_its_own() -> None:
    """``on(lattice)`` is ``on(model)`` with the electrons in the settings; others may be asked for all the same."""
    electrons = ElectronsSettings(hamiltonian=SQUARE.to_dict(), kT=0.1, filling=0.3)
    network = Network(NetworkSettings(**SMALL, electrons=electrons), SQUARE.lattice)
    larger = Lattice.square(6, 4)
    states = sdgnn.spins.random(larger, seed=1)
    own = network.on(larger)(states)
    assert torch.equal(own.field, network.on(SDModel(larger, exchange=2.0), kT=0.1, filling=0.3)(states).field)
    other = network.on(SDModel(larger, exchange=3.0), kT=0.1, filling=0.3)(states)
    assert float((other.field - own.field).abs().max()) > 0.1
    assert torch.equal(network.on(SQUARE.lattice).on(larger)(states).field, own.field)


@pytest.mark.parametrize("level", ["fast", "accurate"])
def test_universal_knows_any_electrons(level: sdgnn.electrons.truncated.Level) -> None:
    """Nothing is learned, so every lattice will do."""
    network = sdgnn.load("universal", level=level)
    assert isinstance(network, Network) and network.readout is None
    for model in (SDModel(Lattice.kagome(2, 2), exchange=2.0), OTHERS["vacancies"]()):
        states = sdgnn.spins.random(model.lattice, seed=1)
        found = network.on(model, torch.float64, kT=0.1, mu=-1.0)(states)
        expected = TruncatedField(model, kT=0.1, mu=-1.0, level=level)(states)
        assert torch.equal(found.field, expected.field) and torch.equal(found.energy, expected.energy)
        assert float(network.on(model, kT=0.1, mu=-1.0).gate(states).max()) == 0


def test_what_is_refused() -> None:
    network = Network(NetworkSettings(**SMALL), SQUARE.lattice)
    with pytest.raises(UserError, match=r"any electrons on .*allowed: a Hamiltonian with kT and filling or mu"):
        network.on(SQUARE.lattice)
    with pytest.raises(UserError, match="a Hamiltonian without the electrons' kT"):
        network.on(SQUARE)
    with pytest.raises(UserError, match="exactly one of the two"):
        network.on(SQUARE, kT=0.1)
    with pytest.raises(UserError, match="beside a lattice"):
        network.on(SQUARE.lattice, kT=0.1, filling=0.3)
    with pytest.raises(UserError, match="a network for square lattices on"):
        network.on(SDModel(Lattice.kagome(3, 3)), kT=0.1, filling=0.3)
    nothing = Network(NetworkSettings(**SMALL, hidden=None), SQUARE.lattice)
    field = nothing.on(SQUARE, kT=0.1, filling=0.3)
    with pytest.raises(UserError, match=r"training Network of walks .*nothing learned"):
        nothing.potentials(field)


@pytest.mark.parametrize(
    "wrong",
    [{"level": "fast", "cutoff": 3}, {"moments": 40}, {"level": "exact"}, {"hidden": -1}, {"layers": 2}],
    ids=str,
)
def test_settings_are_validated(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NetworkSettings(**wrong)  # type: ignore[arg-type]


def test_weights_in_single_precision_make_fields_in_double() -> None:
    """Trained weights are float32; a float64 field of them is computed in float64 throughout and keeps all laws."""
    network = learned(SQUARE).network.float()
    field = network.on(SQUARE, torch.float64, kT=0.1, filling=0.3)
    check_field(field, tolerance=1e-9)
    assert field.gate(sdgnn.spins.random(SQUARE.lattice)).dtype == torch.float64


def test_weights_that_change_after_binding_count_at_once() -> None:
    """As training changes them; and results are constants."""
    field, states = learned(SQUARE), sdgnn.spins.random(SQUARE.lattice, seed=3)
    before = field(states)
    assert not before.energy.requires_grad and not before.field.requires_grad
    randomise(field.network, seed=2)
    assert float((field(states).field - before.field).abs().max()) > 1e-3
