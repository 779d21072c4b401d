"""Vectors whose quadratic forms estimate a trace: coloured, plainly random, or all unit vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Complex, Int
from torch import Tensor

from sdgnn.common.seeds import check_seed
from sdgnn.lattice import Lattice
from sdgnn.lattice.colouring import colouring

Kind = Literal["coloured", "plain"]


@dataclass(frozen=True)
class Probe:
    """Vectors r with E sum_r |r><r| = identity / ``weight`` on the orbitals of a lattice.

    ``coloured``: each vector lives on the sites of one colour, with one spin, with random phases. Then products of
    entries of one vector vanish but on far sites, and so does the noise that they make, as quickly as the density
    matrix decays (Tang and Saad, Numer. Linear Algebra Appl. 19, 485, doi:10.1002/nla.779). If there are vectors for
    several rounds, each has new phases. ``plain``: random phases on all orbitals. With a vector for each orbital, or
    more, they are the unit vectors and the trace is exact.
    """

    n_sites: int
    count: int
    """Number of vectors."""
    weight: float
    """What each counts."""
    seed: int
    colours: Int[np.ndarray, " site"] | None
    """Colours of the sites; None for vectors on all sites."""

    @classmethod
    def of(cls, lattice: Lattice, vectors: int | None, kind: Kind = "coloured", seed: int = 0) -> Probe:
        """The probe with at most ``vectors`` vectors (None for the exact trace)."""
        n, seed = lattice.n_sites, check_seed(seed)
        if vectors is None or vectors >= 2 * n:
            return cls(n, 2 * n, 1.0, seed, np.arange(n))
        if kind == "plain" or vectors < 2 * lattice.n_basis * lattice.is_crystal or vectors < 2:
            return cls(n, vectors, 1 / vectors, seed, None)
        colours = colouring(lattice, vectors // 2)
        each = int(colours.max()) + 1
        rounds = vectors // (2 * each)
        shuffled = np.random.default_rng([seed, 0]).permutation(each)
        return cls(n, 2 * each * rounds, 1 / rounds, seed, shuffled[colours])

    @property
    def exact(self) -> bool:
        """Whether the trace has no noise."""
        return self.colours is not None and self.count == 2 * self.n_sites and self.weight == 1

    def vectors(self, start: int, stop: int, twist: int = 0, draw: int = 0) -> Complex[Tensor, "1 site 2 vector"]:
        """Vectors ``start`` to ``stop``; each ``twist`` and ``draw`` has its own phases."""
        psi = np.zeros((self.n_sites, 2, stop - start), dtype=np.complex128)
        stream = [self.seed, 1, twist, draw]
        if self.colours is None:
            for v in range(start, stop):
                psi[:, :, v - start] = _phases([*stream, v], self.n_sites)
            return torch.from_numpy(psi)[None]
        each = 2 * (int(self.colours.max()) + 1)
        for v in range(start, stop):
            cycle, (colour, spin) = v // each, divmod(v % each, 2)
            members = np.flatnonzero(self.colours == colour)
            psi[members, spin, v - start] = (
                1.0 if self.exact else _phases([*stream, cycle], self.n_sites)[members, spin]
            )
        return torch.from_numpy(psi)[None]


def _phases(stream: list[int], n_sites: int) -> np.ndarray:
    """Random complex numbers (site, 2) of modulus 1."""
    return np.exp(2j * math.pi * np.random.default_rng(stream).random((n_sites, 2)))
