"""One layer of the equivariant network, bond by bond with complex 2x2 matrices on a crystal's own directions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.equivariant import LATTICES, PAULI, trained_like

from sdgnn import Lattice, spins
from sdgnn.nn import EquivariantNetwork
from sdgnn.nn.baselines.layers import IRREP

BASIS = np.concatenate([[np.eye(2), 1j * np.eye(2)], PAULI, 1j * PAULI])
"""The matrices of the eight components."""


def components(matrices: np.ndarray) -> np.ndarray:
    """The eight components (..., 8) of matrices (..., 2, 2), by traces with the basis, of norm 2."""
    return np.einsum("kba,...ba->...k", BASIS.conj(), matrices).real / 2


def functions(overlap: float, count: int) -> np.ndarray:
    """Chebyshev polynomials as cosines, and the rounded root."""
    polynomials = np.cos(np.arange(count - 1) * np.arccos(np.clip(overlap, -1, 1)))
    return np.append(polynomials, (((1 + overlap) / 2) ** 2 + 0.05**2) ** 0.25)


def energies(network: EquivariantNetwork, lattice: Lattice, state: np.ndarray) -> np.ndarray:
    """e_i of a network of one layer on unit spins."""
    weights = {name: weight.detach().double().numpy() for name, weight in network.named_parameters()}
    bonds, count, width = lattice.bonds(1), network.settings.bond_functions, network.settings.channels

    vectors = np.unique(np.round(bonds.vector, 12) + 0.0, axis=0)
    angle = np.arccos(np.round(vectors @ vectors.T, 9))

    def wave(degree: int) -> np.ndarray:
        """P_l of the angle between two directions."""
        return (3 * np.cos(angle) ** 2 - 1) / 2 if (lattice.dim, degree) == (3, 2) else np.cos(degree * angle)

    spaces = network.harmonics
    projectors = [n / len(vectors) * wave(degree) for degree, n in zip(spaces.degrees, spaces.dimensions, strict=True)]

    def mapped(values: np.ndarray, name: str) -> np.ndarray:
        """The linear map of components (direction, site, channel, 8), with the projector on each space of harmonics."""
        out = 0.0
        for k, projector in enumerate(projectors):
            projected = np.tensordot(projector, values, 1)
            out = out + np.einsum("dick,kcf->difk", projected, weights[f"layers.0.{name}.weight"][list(IRREP), k])
        return out

    def scalars(values: np.ndarray) -> np.ndarray:
        return values[..., 0].sum(0) / len(vectors) ** 0.5

    on_bonds, pair = [], np.zeros((lattice.n_sites, count))
    features = np.zeros((len(vectors), lattice.n_sites, width, 8))
    for i, j, vector in zip(bonds.source, bonds.target, bonds.vector, strict=True):
        d, f = int(np.argmax(vectors @ vector)), functions(state[i] @ state[j], count)
        on_bonds.append((d, i, j, f))
        pair[i] += f
        scalar, here, there, twist = f @ weights["embedding"]
        features[d, i, :, 0] = scalar
        features[d, i, :, 2:5] = np.outer(here, state[i]) + np.outer(there, state[j])
        features[d, i, :, 5:] = np.outer(twist, np.cross(state[i], state[j]))
    size = np.square(features).sum(0).mean((1, 2)) / len(vectors)
    normal = features / np.sqrt(size + 0.1)[:, None, None]
    own, message = mapped(normal, "own"), mapped(normal, "message")
    products = np.zeros((len(vectors), lattice.n_sites, 2 * width, 8))
    for d, i, j, f in on_bonds:
        factors = own[d, i] + (f @ weights["layers.0.bond"])[:, None] * message[d, j]
        a, b, c = np.split(np.tensordot(factors, BASIS, 1), 3)
        products[d, i] = components(np.concatenate([a @ b, a @ b @ c]))
    gate = 2 / (1 + np.exp(-scalars(normal) @ weights["layers.0.gate"] - weights["layers.0.gate_bias"]))
    found = scalars(features + mapped(products, "out") * gate[..., None])
    hidden = found @ weights["readouts.0.hidden"] + weights["readouts.0.bias"]
    read = found @ weights["readouts.0.linear"] + hidden / (1 + np.exp(-hidden)) @ weights["readouts.0.out"]
    return 0.1 * (read + pair / len(vectors) @ weights["pair"])[:, 0]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_the_network_is_what_it_says(lattice: Lattice) -> None:
    network, states = trained_like(lattice, layers=1), spins.random(lattice, seed=1)
    found = network.on(lattice, torch.float64).site_energies(states)[0].detach().numpy()
    np.testing.assert_allclose(found, energies(network, lattice, states[0].numpy()), rtol=1e-10, atol=1e-10)
