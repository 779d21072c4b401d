"""The network as others would write it: messages between nodes of a graph, and irreps of moments under rotations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.csgraph
import torch
from e3nn.o3 import Irreps
from jaxtyping import Complex, Float
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch_geometric.nn import MessagePassing

from sdgnn import Lattice, SDModel, spins
from sdgnn.electrons.bands import band
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.walk import Channel, WalkSettings
from sdgnn.lattice.periodic import nearest_image

PAULI = torch.tensor([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128)
IRREPS = Irreps("0e + 1o")
"""A_n and B_n of a moment A_n + B_n . sigma; the parity is that of time reversal."""


class SpinorWalk(MessagePassing):
    """Layers v_{n+1} = 2 H~ v_n - D^2 v_{n-1} on nodes (ball, site); the messages along bonds are spinors.

    The two columns of v are walks that begin up and down. Hopping is 1 between nearest neighbours, at distance 1.
    """

    def __init__(self, lattice: Lattice, exchange: float, settings: WalkSettings) -> None:
        super().__init__(aggr="add", node_dim=0)
        away = (lattice.positions[:, None] - lattice.positions).reshape(-1, lattice.dim)
        distance = np.linalg.norm(nearest_image(away, lattice.cell), axis=1).reshape(lattice.n_sites, -1)
        near = (distance > 0.1) & (distance < 1.01)  # the radius graph
        bonds = scipy.sparse.csgraph.shortest_path(near.astype(float), unweighted=True)
        ball, site = np.nonzero(bonds <= settings.cutoff)
        joined = (ball[:, None] == ball) & near[site[:, None], site]
        edge = bonds[ball, site] == settings.cutoff
        self.edges = torch.from_numpy(np.stack(np.nonzero(joined)))
        self.ball, self.site = torch.from_numpy(ball), torch.from_numpy(site)
        self.centre = torch.from_numpy(np.flatnonzero(ball == site))
        self.damping = torch.from_numpy(np.where(edge, settings.damping, 1.0))[:, None, None]
        self.exchange, self.settings = exchange, settings

    def forward(self, state: Float[Tensor, "site 3"]) -> Complex[Tensor, "site moment 2 2"]:
        """Moments M_0, ..., M_2m = A + B . sigma of every site, as many as the longest walk has."""
        d, scale = self.damping, self.settings.scale
        spin_matrices = torch.einsum("na,aij->nij", state[self.site].to(PAULI), PAULI)
        onsite = d * (-self.exchange * spin_matrices - self.settings.centre * torch.eye(2).to(PAULI))

        def hop(v: Tensor) -> Tensor:
            neighbours = self.propagate(self.edges, x=torch.view_as_real(d.sqrt() * v))
            return (-d.sqrt() * torch.view_as_complex(neighbours) + onsite @ v) / scale

        def product(x: Tensor, y: Tensor) -> Tensor:
            return torch.zeros(len(state), 2, 2).to(x).index_add(0, self.ball, x.mH @ y)

        before = torch.zeros(len(self.site), 2, 2, dtype=torch.complex128)
        before[self.centre] = torch.eye(2).to(before)
        last = hop(before)
        moments = [product(before, before), product(before, last)]
        for _ in range(self.settings.steps):
            new = 2 * hop(last) - d**2 * before
            moments.append(moments[-2] + 2 * (product(last, last) - product(before, d**2 * before)))
            moments.append(moments[-2] + 2 * (product(last, new) - product(before, d**2 * last)))
            before, last = last, new
        return torch.stack(moments[:-1], dim=1)


def scalars_and_vectors(moments: Complex[Tensor, "site moment 2 2"]) -> Float[Tensor, "site moment 4"]:
    """A and B of M = A + B . sigma, the components of :data:`IRREPS`."""
    matrices = torch.cat([torch.eye(2).to(PAULI)[None], PAULI])
    return torch.einsum("snij,aji->sna", moments, matrices).real / 2


LATTICES = {
    "square": Lattice.square(8, 8),
    "triangular": Lattice.triangular(8, 8),
    "honeycomb": Lattice.honeycomb(6, 6),
}


def walks(name: str) -> tuple[CompiledWalk, SpinorWalk]:
    """Compiled loops, and messages in a graph, in balls of three bonds that fit into the lattice."""
    model = SDModel(LATTICES[name], exchange=2.0)
    lowest, highest = band(model)
    channels = (Channel(1, 7), Channel(-1, 4))
    settings = WalkSettings(3, channels, 15, centre=(lowest + highest) / 2, scale=(highest - lowest) / 2 + 2.0)
    return CompiledWalk(model, settings, torch.float64), SpinorWalk(model.lattice, 2.0, settings)


@pytest.mark.parametrize("name", LATTICES)
def test_moments_are_those_of_message_passing(name: str) -> None:
    """A + S . B along the spin, A - S . B against it: walks that begin up and down know both. To rounding."""
    compiled, graph = walks(name)
    state = spins.random(LATTICES[name], seed=1)
    found = compiled.moments(state)[0][0]
    parts = scalars_and_vectors(graph(state[0]))
    along = (parts[..., 1:] * state[0][:, None]).sum(-1)
    for channel, side, steps in ((0, 1, 7), (1, -1, 4)):
        expected = (parts[..., 0] + side * along)[:, : 2 * steps + 1]
        torch.testing.assert_close(found[:, channel, : 2 * steps + 1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("reverse", [False, True])
def test_moments_turn_as_their_irreps(reverse: bool) -> None:
    """M(R S) = D(R) M(S) with D = 1 + R; time reversal, S -> -S, is the parity."""
    _, graph = walks("triangular")
    state = spins.random(LATTICES["triangular"], seed=2)[0]
    turn = torch.from_numpy(Rotation.random(random_state=0).as_matrix()) * (-1 if reverse else 1)
    before, after = scalars_and_vectors(graph(state)), scalars_and_vectors(graph(state @ turn.T))
    matrix = torch.block_diag(torch.ones(1, 1).to(turn), turn)
    torch.testing.assert_close(IRREPS.D_from_matrix(turn), matrix, rtol=0, atol=1e-6)  # by way of angles
    torch.testing.assert_close(after, before @ matrix.T, rtol=0, atol=1e-10)
    assert float((after - before).abs().max()) > 0.1
