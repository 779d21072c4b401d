"""Random numbers of a run that depend on seed, stream of the replica, step, site and purpose alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from scipy.special import ndtri

WORDS = 4
"""64-bit words of one Philox block; every site owns one block."""


class Purpose(IntEnum):
    """What numbers are drawn for; numbers for different purposes are independent of each other."""

    BEFORE = 0
    """The bath's kick before the motion of a step."""
    AFTER = 1
    """The bath's kick after the motion of a step."""
    TRIAL = 2
    """Directions that Monte Carlo tries."""
    DECISION = 3
    """Whether Monte Carlo takes these directions."""
    PROBE = 4
    """Tangents that probe the curvature of the energy, for the spins' temperature."""
    EXCHANGE = 5
    """Whether two replicas of parallel tempering exchange their states."""


def normal(seed: int, streams: Sequence[int], step: int, sites: range, purpose: Purpose) -> np.ndarray:
    """Independent standard normal numbers (replica, site, 3), float64.

    Counter based: the Philox 4x64 generator (Salmon et al., SC11, doi:10.1145/2063384.2063405) with the key
    (seed, stream), one stream for each replica, is read at the counter (site, step, purpose). Nothing is carried
    over from one call to the next, so the numbers are the same however many replicas run, after a restart, and when
    the sites of one lattice are shared among processes (``sites`` is then a process's contiguous part). Three words of
    a block become uniform numbers of 52 bits in (0, 1) and then normal ones by inversion of the error function, each by
    itself.
    """
    if sites.step != 1:
        raise ValueError(f"sites {sites}: a contiguous range is needed")
    words = np.stack(
        [
            np.random.Philox(
                key=np.array([seed, stream], dtype=np.uint64),
                counter=np.array([sites.start, step, purpose, 0], dtype=np.uint64),
            ).random_raw(WORDS * len(sites))
            for stream in streams
        ]
    ).reshape(len(streams), len(sites), WORDS)[..., :3]
    uniform = ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return ndtri(uniform)
