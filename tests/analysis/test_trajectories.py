"""Analysis of trajectories: labels, error bars, and agreement of stored and measured quantities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import analyze, mean_and_error, mean_chirality, observers, wave_vectors
from sdgnn.analysis.spectra.static import structure_factor
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Heun, simulate
from sdgnn.fields import Heisenberg

LATTICE = Lattice.triangular(6, 6)


@pytest.fixture(scope="module")
def spins_only():
    return run([observers.observer("spins", LATTICE, 5), observers.observer("energy", LATTICE, 5)])


def run(chosen):
    field = Heisenberg(LATTICE, couplings=[-1.0])
    spins = sdgnn.spins.random(LATTICE, replicas=4, seed=3)
    return simulate(field, spins, Heun(dt=0.05, damping=0.5, kT=0.01), 20, observers=chosen).trajectory


def test_error_bars_are_those_of_the_replicas(spins_only):
    result = analyze(spins_only, LATTICE)
    states = torch.from_numpy(spins_only["spins"].values)
    chirality = torch.stack([mean_chirality(state, LATTICE) for state in states])
    mean, error = mean_and_error(chirality.T)
    assert result["chirality"].dims == ("time", "replica")
    assert np.allclose(result["chirality"], chirality) and np.allclose(result["chirality_mean"], mean)
    assert np.allclose(result["chirality_error"], error)
    factor = torch.stack([structure_factor(state, LATTICE).mean(0) for state in states])
    assert result["structure_factor_mean"].dims == ("time", "wave_vector")
    assert np.allclose(result["structure_factor_mean"], factor)
    assert np.allclose(result["q"], wave_vectors(LATTICE))
    assert np.allclose(result["time"], spins_only["time"]) and result["energy_mean"].attrs["units"] == "t"
    assert (np.diff(result["energy_mean"]) < 0).all()


def test_measured_on_the_fly_and_from_stored_spins_agree(spins_only):
    fly = run([observers.observer(name, LATTICE, 5) for name in observers.MEASURES])
    from_spins, from_run = analyze(spins_only, LATTICE), analyze(fly, LATTICE)
    for name in observers.MEASURES:
        if name not in ("chirality_map", "nematic_map"):  # maps have no mean through time
            assert np.allclose(from_spins[f"{name}_mean"], from_run[f"{name}_mean"], atol=1e-12), name


def test_schedules_keep_their_own_times():
    mixed = run([observers.observer("spins", LATTICE, 10), observers.observer("chirality", LATTICE, 2)])
    result = analyze(mixed, LATTICE)
    assert result["chirality_mean"].dims == ("time",) and result["domain_length_mean"].dims == ("time_10",)
    assert np.allclose(result["time_10"], [0.0, 0.5, 1.0]) and result.sizes["time"] == 11


def test_spin_order_adds_its_domain_length(spins_only, k_points):
    result = analyze(spins_only, LATTICE, order=k_points)
    assert (result["spin_domain_length"] > 0).all()
    assert result["spin_domain_length_moment_mean"][-1] > result["spin_domain_length_moment_mean"][0]


def test_the_result_can_be_saved_and_opened(spins_only, tmp_path):
    import xarray

    result = analyze(spins_only, LATTICE)
    result.to_zarr(tmp_path / "analysis.zarr", consolidated=False)
    assert xarray.open_zarr(tmp_path / "analysis.zarr", decode_times=False, consolidated=False).equals(result)


def test_errors(spins_only):
    with pytest.raises(UserError, match="36 sites"):
        analyze(spins_only, Lattice.triangular(5, 6))
    with pytest.raises(UserError, match="without observables"):
        analyze(spins_only.drop_vars(["spins", "energy"]), LATTICE)
    with pytest.raises(UserError, match="observer spins"):
        analyze(spins_only.drop_vars("spins"), LATTICE, order=np.zeros((1, 2)))
