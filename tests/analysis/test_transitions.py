"""Fluctuations, cumulants and transition temperatures against closed forms of exactly drawn states."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from helpers.equilibrium import langevin
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import erfc, gammaln

import sdgnn
from sdgnn import Lattice, MonteCarlo, ParallelTempering, analysis
from sdgnn.analysis.transitions.order_parameters import order_parameters
from sdgnn.analysis.transitions.thermodynamics import of_samples
from sdgnn.common.errors import UserError
from sdgnn.dynamics import observers
from sdgnn.fields import Heisenberg


def recorded(kT, **values):
    """A trajectory of one replica for each temperature; ``values`` are (time, replica[, component])."""
    dims = ("time", "replica", "component")
    data = {name: (dims[: v.ndim], v) for name, v in values.items()}
    return xarray.Dataset(data, {"kT": ("replica", list(kT)), "replica": np.arange(len(kT))})


def ring(bonds, kT, times, generator):
    """Exact states (time, kT, site, 3) of an open classical Heisenberg chain with J = 1: its bonds are independent."""
    x = 1 / np.asarray(kT)
    u = generator.random((bonds, times, len(kT)))
    cosine = 1 + np.log(u + (1 - u) * np.exp(-2 * x)) / x
    axis = generator.normal(size=(times, len(kT), 3))
    spins = [axis / np.linalg.norm(axis, axis=-1, keepdims=True)]
    for k in range(bonds):
        side = np.cross(spins[-1], generator.normal(size=axis.shape))
        side /= np.linalg.norm(side, axis=-1, keepdims=True)
        c = cosine[k][..., None]
        spins.append(c * spins[-1] + np.sqrt(1 - c**2) * side)
    return np.stack(spins, 2), -cosine.sum(0)


def test_open_heisenberg_chain():
    """Energy, specific heat and <m^2> of the chain (Fisher, Am. J. Phys. 32, 343 (1964)), at three temperatures."""
    kT, bonds = np.array([0.3, 0.7, 2.0]), 15
    spins, energy = ring(bonds, kT, 4000, np.random.default_rng(0))
    trajectory = recorded(kT, magnetization=spins.mean(2), energy=energy)
    found = analysis.thermodynamics(trajectory, Lattice.chain(bonds + 1), discard=0.0)
    sites, x, u = bonds + 1, 1 / kT, langevin(1 / kT)
    apart = np.abs(np.subtract.outer(np.arange(sites), np.arange(sites)))
    square = (u[:, None, None] ** apart).mean((1, 2))  # <S_i . S_j> = u^|i - j|
    for name, expected in (
        ("energy_per_site", -bonds * u / sites),
        ("specific_heat", bonds * (1 - x**2 / np.sinh(x) ** 2) / sites),
    ):
        sure = found[f"{name}_error"].values
        assert (np.abs(found[name].values - expected) < 4.5 * sure).all(), name
        assert (sure < 0.06 * np.abs(expected)).all()
    moments = found["magnetization_moments"].values.mean(1)
    assert np.allclose(moments[:, 1], square, rtol=0.06)
    chi = sites * (moments[:, 1] - moments[:, 0] ** 2) / kT
    assert np.allclose(found["magnetization_susceptibility"], chi)


def test_free_spins():
    """Mean spin of N free spins, a random walk: U = 1 - (5/3 - 2/(3N)) / 3 and chi kT -> 1 - 8 / (3 pi)."""
    generator = np.random.default_rng(1)
    spins = generator.normal(size=(20000, 2, 12, 3))
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
    found = of_samples(order_parameters(recorded((0.5, 2.0), magnetization=spins.mean(2)), Lattice.chain(12)), 12)
    expected = 1 - (5 / 3 - 2 / 36) / 3
    error = found["magnetization_binder_error"].values
    assert (np.abs(found["magnetization_binder"].values - expected) < 4.5 * error).all() and (error < 0.01).all()
    assert abs(expected - 4 / 9) > 2 * error.max()  # the limit of many sites is another number
    assert np.allclose(found["magnetization_susceptibility"] * found["kT"], 1 - 8 / (3 * np.pi), rtol=0.06)


@pytest.mark.parametrize(("components", "limit"), [(1, 0.0), (2, 1 / 3), (3, 4 / 9), (9, 16 / 27)])
def test_limits_of_the_cumulant(components, limit):
    """Normal distributions of n components in disorder, 2/3 in order."""
    generator = np.random.default_rng(2)
    disorder = generator.normal(size=(20000, 2, components))
    order = np.concatenate([disorder[..., :1] * 0 + 1, 0.01 * disorder[..., 1:]], axis=-1)
    for values, expected in ((disorder, limit), (order, 2 / 3)):
        samples = order_parameters(recorded((0.5, 2.0), nematic=values), Lattice.chain(4), parameters=["nematic"])
        found = of_samples(samples, 4)
        assert np.abs(found["nematic_binder"].values - expected).max() < 5 * found["nematic_binder_error"].max() + 1e-3


def test_error_bars_know_of_autocorrelation():
    """Sequences x_t = rho x_t-1 + noise: errors are sqrt(tau) longer than for independent samples, and say if not."""
    generator, rho, count = np.random.default_rng(3), 0.9, 4000
    noise = generator.normal(size=(count, 40))
    values = 5 + lfilter([1], [1, -rho], noise, axis=0) * np.sqrt(1 - rho**2)
    found = of_samples(order_parameters(recorded(np.arange(1, 41), nematic=values), Lattice.chain(4),
                                        parameters=["nematic"]), 4)  # fmt: skip
    expected = np.sqrt((1 + rho) / (1 - rho) / count)
    assert abs(found["nematic_mean_error"].mean() / expected - 1) < 0.15
    assert np.std(found["nematic_mean"]) == pytest.approx(expected, rel=0.4)
    assert found["nematic_reliable"].all()
    assert not of_samples(order_parameters(recorded((1.0,), nematic=values[:60, :1]), Lattice.chain(4),
                                           parameters=["nematic"]), 4)["nematic_reliable"].any()  # fmt: skip


def weights(sites, kT):
    """Magnetisations M / N of the Curie-Weiss magnet, E = -M^2 / (2 N), and their exact probabilities."""
    up = np.arange(sites + 1)
    total = 2 * up - sites
    log = gammaln(sites + 1) - gammaln(up + 1) - gammaln(sites - up + 1) + total**2 / (2 * sites * kT)
    probability = np.exp(log - log.max())
    return total / sites, probability / probability.sum()


def exact(sites, kT):
    """Binder cumulant and susceptibility."""
    m, p = weights(sites, kT)
    second = (p * m**2).sum()
    return 1 - (p * m**4).sum() / (3 * second**2), sites * (second - (p * np.abs(m)).sum() ** 2) / kT


def test_transition_temperatures():
    """Every spin with every other: crossing and peak from samples against those of the exact distributions."""
    kT, generator, small, large = np.linspace(0.8, 1.15, 15), np.random.default_rng(4), 64, 512
    found = {}
    for sites in (small, large):
        draws = [generator.choice(weights(sites, T)[0], 20000, p=weights(sites, T)[1]) for T in kT]
        found[sites] = of_samples(
            order_parameters(recorded(kT, chirality=np.stack(draws, 1)), Lattice.chain(sites)), sites
        )
    crossing, peak, larger = analysis.transition_temperatures([found[large], found[small]], "chirality")
    where = brentq(lambda T: exact(large, T)[0] - exact(small, T)[0], 0.9, 1.05)
    assert crossing.sites == (small, large) and crossing.error < 0.01
    assert abs(crossing.kT - where) < 4 * crossing.error + 0.003  # a straight line for a curve
    assert "Binder crossing of 64 and 512 sites: kT = " in str(crossing)
    for one, sites in ((peak, small), (larger, large)):
        fine = np.linspace(0.8, 1.1, 601)
        top = fine[np.argmax([exact(sites, T)[1] for T in fine])]
        assert one.sites == (sites,) and one.error < 0.02
        assert abs(one.kT - top) < 4 * one.error + 0.01  # a parabola for a peak
    assert abs(larger.kT - peak.kT) > 4 * max(peak.error, larger.error)  # sizes differ
    part = slice(10, None)  # above the transition there is none
    high = [one.isel(kT=part).assign_attrs(one.attrs) for one in found.values()]
    assert not any(one.found for one in analysis.transition_temperatures(high, "chirality"))
    with pytest.raises(UserError, match="transitions of 'energy'; allowed: chirality"):
        analysis.transition_temperatures(found[small], "energy")


def normal_energies(kT, spread, count=20000, seed=5):
    """Of a system whose density of states is a parabola in its logarithm: E is normal, its mean -s^2 / kT."""
    noise = np.random.default_rng(seed).normal(size=(count, len(kT)))
    return -(spread**2) / np.asarray(kT) + spread * noise


def test_rates_and_ladders():
    """Rates of normal energies are erfc(s d beta / 2), and the suggested ladder has the rate that it was asked for."""
    rough, spread = (0.5, 0.7, 1.0, 1.4, 2.0), 5.0
    trajectory = recorded(rough, energy=normal_energies(rough, spread))
    step = -np.diff(1 / np.array(rough))
    assert np.allclose(analysis.exchanges(trajectory)["rate"], erfc(spread * step / 2), atol=0.02)
    for rate in (0.2, 0.5):
        ladder = analysis.suggest_temperatures(trajectory, rate)
        assert ladder[0] == pytest.approx(0.5) and ladder[-1] == pytest.approx(2.0)
        found = analysis.exchanges(recorded(ladder, energy=normal_energies(ladder, spread)))["rate"].values
        assert np.ptp(found) < 0.03 and rate - 0.02 < found.min() < rate + 0.1
        shorter = analysis.suggest_temperatures(trajectory, rate, highest=1.0)
        assert shorter[-1] == pytest.approx(1.0) and len(shorter) < len(ladder)


def test_round_trips():
    """Counted by hand: state 0 goes up and comes back, state 2 waits in the middle."""
    walkers = np.array([[0, 1, 2], [1, 0, 2], [1, 2, 0], [1, 0, 2], [0, 1, 2], [0, 2, 1], [2, 0, 1], [0, 2, 1]])
    trajectory = recorded((1.0, 2.0, 3.0), energy=np.zeros((8, 3)), walker=walkers)
    assert analysis.exchanges(trajectory, discard=0.0)["round_trips"].values.tolist() == [1, 0, 0]


def test_refused():
    values = np.zeros((40, 2))
    trajectory = recorded((0.1, 0.2), chirality=values)
    for changed, words in (
        (trajectory.assign_coords(kT=("replica", [0.1, np.nan])), "follow a schedule"),
        (trajectory.assign_coords(kT=("replica", [0.1, 0.1]), damping=("replica", [0.5, 1.0])), "other settings"),
        (trajectory.isel(time=slice(10)), "at least 20"),
        (trajectory.rename(chirality="mood"), "records magnetization, chirality or spins"),
    ):
        with pytest.raises(UserError, match=words):
            analysis.thermodynamics(changed, Lattice.chain(4))
    with pytest.raises(UserError, match=r"order parameter 'mood' of a trajectory; allowed: chirality"):
        analysis.thermodynamics(trajectory, Lattice.chain(4), parameters=["mood"])
    with pytest.raises(UserError, match="record the observer energy"):
        analysis.exchanges(trajectory)
    with pytest.raises(UserError, match="between 0 and 1"):
        analysis.suggest_temperatures(trajectory, rate=1.0)


def test_from_recorded_spins():
    """What a run did not record is measured of its spins: the same numbers."""
    lattice = Lattice.triangular(4, 4)
    watch = [observers.spins(1), observers.energy(1)]
    both = [*watch, observers.magnetization(1), analysis.observer("chirality", lattice, 1)]
    scheme = ParallelTempering(kT=(0.3, 0.6), moves=MonteCarlo(), every=1)
    peaks = analysis.order_peaks("tetrahedral", lattice)
    found = [
        analysis.thermodynamics(
            sdgnn.simulate(
                Heisenberg(lattice, [-1.0]), sdgnn.spins.random(lattice, 2), scheme, 24, observers=o
            ).trajectory,
            order=peaks,
            discard=0.0,
        )
        for o in (watch, both)
    ]
    for name in found[0].data_vars:
        assert np.allclose(found[0][name], found[1][name]), name
    assert (found[0]["bragg_amplitude_mean"] > 0.1).all()


@pytest.mark.slow
def test_heisenberg_magnet_on_the_cubic_lattice():
    """kT_c = 1.4430 J (Chen, Ferrenberg and Landau, Phys. Rev. B 48, 3249 (1993), doi:10.1103/PhysRevB.48.3249)."""
    ladder = tuple(np.linspace(1.36, 1.52, 9).tolist())
    moves = MonteCarlo(width=1.0, overrelaxation=2)
    found = []
    for size in (6, 10):
        lattice = Lattice.cubic(size, size, size)
        run = sdgnn.simulate(
            Heisenberg(lattice, [1.0]),
            sdgnn.spins.ferro(lattice, replicas=9),
            ParallelTempering(kT=ladder, moves=moves, every=2),
            3000,
            seed=size,
            observers=[observers.energy(2), observers.magnetization(2), observers.walker(2)],
        )
        found.append(analysis.thermodynamics(run.trajectory))
        assert analysis.exchanges(run.trajectory)["rate"].min() > 0.2
    crossing = analysis.transition_temperatures(found, "magnetization")[0]
    print(crossing)
    assert crossing.error < 0.015  # 3000 steps leave 0.010, half the spacing of the temperatures
    assert abs(crossing.kT - 1.4430) < 3 * crossing.error + 0.003  # corrections to scaling of these sizes
