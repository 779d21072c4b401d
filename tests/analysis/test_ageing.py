"""Frozen fraction and autocorrelation of an Ising chain, where both are known, and of states set by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quenches import glauber_chain

from sdgnn.analysis.domains.ageing import autocorrelation, frozen_fraction
from sdgnn.common.errors import UserError


def test_by_hand():
    states = torch.tensor([[[1, 1, -1, -1]], [[1, -1, -1, 1]], [[1, 1, -1, 1]]])
    assert frozen_fraction(states).tolist() == [[1.0], [0.5], [0.5]]
    assert frozen_fraction(iter(states)).tolist() == [[1.0], [0.5], [0.5]]
    assert autocorrelation(2.0 * states).tolist() == [[1.0], [0.0], [0.5]]
    spins = torch.eye(3).repeat(2, 1, 1, 1)  # (time, replica, site, component): nothing moves
    assert autocorrelation(spins).tolist() == [[1.0], [1.0]]
    with pytest.raises(UserError, match="no states"):
        frozen_fraction(iter(()))


def test_persistence_of_the_ising_chain():
    """P ~ t^(-3/8) (Derrida, Hakim and Pasquier, doi:10.1103/PhysRevLett.75.751), every sweep looked at."""
    kept = frozen_fraction(glauber_chain(2**14, 8, list(range(201)))).mean(1).numpy()
    t = np.unique(np.geomspace(20, 200, 12).astype(int))
    slope, _ = np.polyfit(np.log(t), np.log(kept[t]), 1)
    assert slope == pytest.approx(-3 / 8, abs=0.02)


def test_autocorrelation_of_the_ising_chain():
    """A = (2/pi) arctan sqrt(2 t_w / (t - t_w)) (Godreche and Luck, doi:10.1088/0305-4470/33/6/305).

    5 x 10^5 sites in domains of about 10 leave 0.005; t_w = 16 sweeps are not yet the continuum, another 0.005.
    """
    times = [16, 20, 24, 32, 48, 64, 96, 128]
    found = autocorrelation(glauber_chain(2**15, 16, times, seed=3)).mean(1).numpy()
    ratio = np.array(times[1:]) / 16
    assert found[1:] == pytest.approx(2 / math.pi * np.arctan(np.sqrt(2 / (ratio - 1))), abs=0.02)
