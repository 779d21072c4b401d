"""The Chebyshev recursion and its reverse from tensor operations, on any device."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.electrons.hamiltonian import PAULI, sparse_tensor
from sdgnn.electrons.kpm.engine import Recursion
from sdgnn.electrons.kpm.scaled import HoppingTable, ScaledHamiltonian


class PlainRecursion(Recursion[Tensor]):
    """Rows are tensors (site, 4, replica, vector): Re up, Im up, Re down, Im down."""

    def __init__(self, hamiltonian: ScaledHamiltonian) -> None:
        local = hamiltonian.local
        self._bx, self._by, bz, b0 = local.permute(2, 1, 0)[..., None].unbind(0)
        self._up, self._down = b0 + bz, b0 - bz
        self._factor = hamiltonian.factor[:, None]
        hopping = hamiltonian.hopping
        self._real = _sparse(hopping.site, hopping.real, local)
        self._imag = None if hopping.imag is None else _sparse(hopping.site, hopping.imag, local)
        self._turns = None if hopping.turn_real is None else _turns(hopping, local)

    def pack(self, psi: Complex[Tensor, "replica site 2 vector"]) -> Float[Tensor, "site 4 replica vector"]:
        rows = torch.view_as_real(psi.resolve_conj()).to(device=self._bx.device, dtype=self._bx.dtype)
        return rows.permute(1, 2, 4, 0, 3).reshape(psi.shape[1], 4, psi.shape[0], psi.shape[3])

    def unpack(self, rows: Tensor, shape: tuple[int, ...]) -> Complex[Tensor, "replica site 2 vector"]:
        replicas, sites, _, vectors = shape
        parts = rows.reshape(sites, 2, 2, replicas, vectors).permute(3, 0, 1, 4, 2)
        return torch.view_as_complex(parts.contiguous())

    def first(self, start: Tensor) -> Tensor:
        return self._doubled(start) / 2

    def next(self, last: Tensor, before: Tensor) -> Tensor:
        return self._doubled(last) - before

    def forward(self, start: Tensor, count: int) -> tuple[Float[Tensor, "replica moment vector"], Tensor, Tensor]:
        before, last = start, self.first(start)
        zeroth, first = _dot(before, before), _dot(before, last)
        moments = [zeroth, first]
        for _ in range(count // 2 - 1):
            before, last = last, self.next(last, before)
            moments += [2 * _dot(before, before) - zeroth, 2 * _dot(before, last) - first]
        return torch.stack(moments, dim=1), before, last

    def reverse(
        self, before: Tensor, last: Tensor, weights: Float[np.ndarray, "replica step 3"]
    ) -> Float[Tensor, "replica site 4"]:
        given = torch.from_numpy(weights).to(last).permute(1, 2, 0)[..., None]
        adjoint, after = given[0, 2] * before, torch.zeros_like(last)
        gradient = torch.zeros(*last.shape[:3], dtype=torch.float64, device=last.device)
        for w, w_after, w_before in given[1:]:
            gradient += 2 * _outer(before, adjoint)
            driven = w * before + w_after * last
            before, last = self.next(before, last), before
            adjoint, after = driven + w_before * before + self.next(adjoint, after), adjoint
        return (gradient + _outer(before, adjoint)).permute(2, 0, 1)

    def _doubled(self, x: Tensor) -> Tensor:
        """2 H~ x."""
        ur, ui, dr, di = x.unbind(1)
        y = torch.stack(
            [
                self._up * ur + self._bx * dr + self._by * di,
                self._up * ui + self._bx * di - self._by * dr,
                self._down * dr + self._bx * ur - self._by * ui,
                self._down * di + self._bx * ui + self._by * ur,
            ],
            dim=1,
        )
        y += self._factor * (self._real @ x.flatten(1)).view_as(x)
        if self._imag is not None:
            turned = torch.stack([-ui, ur, -di, dr], dim=1)
            y += self._factor * (self._imag @ turned.flatten(1)).view_as(x)
        if self._turns is not None:
            y += self._factor * (self._turns @ x.reshape(4 * len(x), -1)).view_as(x)
        return y


def _sparse(site: np.ndarray, amplitude: np.ndarray, like: Tensor) -> Tensor:
    """A padded table of neighbours as a sparse matrix (site, site)."""
    row, column = np.nonzero(amplitude)
    matrix = scipy.sparse.coo_array((amplitude[row, column], (row, site[row, column])), shape=(len(site),) * 2)
    return sparse_tensor(matrix).to(device=like.device, dtype=like.dtype)


def _turns(hopping: HoppingTable, like: Tensor) -> Tensor:
    """sum_a i sigma_a g_ij,a of a table as a real sparse matrix between rows, (4 site, 4 site)."""
    assert hopping.turn_real is not None
    turn = hopping.turn_real if hopping.turn_imag is None else hopping.turn_real + 1j * hopping.turn_imag
    row, column = np.nonzero(np.abs(turn).sum(-1))
    blocks = 1j * np.einsum("pa,ast->pst", turn[row, column], PAULI)
    # a complex number b acts on (Re, Im) as ((Re b, -Im b), (Im b, Re b))
    parts = np.stack([blocks.real, -blocks.imag, blocks.imag, blocks.real], axis=-1).reshape(-1, 2, 2, 2, 2)
    numbers = parts.transpose(0, 1, 3, 2, 4).reshape(-1, 4, 4)
    component = np.arange(4)
    rows = np.broadcast_to((4 * row[:, None] + component)[:, :, None], numbers.shape)
    columns = np.broadcast_to(
        (4 * hopping.site[row, column].astype(np.int64)[:, None] + component)[:, None], numbers.shape
    )
    size = (4 * len(hopping.site),) * 2
    matrix = scipy.sparse.coo_array((numbers.ravel(), (rows.ravel(), columns.ravel())), shape=size).tocsr()
    matrix.eliminate_zeros()
    return sparse_tensor(matrix).to(device=like.device, dtype=like.dtype)


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """Re <x|y> of each vector (replica, vector)."""
    return (x * y).sum((0, 1), dtype=torch.float64)


def _outer(x: Tensor, b: Tensor) -> Tensor:
    """Re tr(sigma |x><b|) on every site, summed over vectors: (site, 4, replica)."""
    ur, ui, dr, di = x.unbind(1)
    aur, aui, adr, adi = b.unbind(1)
    up, down = (ur * aur + ui * aui).sum(-1), (dr * adr + di * adi).sum(-1)
    sx = (ur * adr + ui * adi + dr * aur + di * aui).sum(-1)
    sy = (ur * adi - ui * adr + di * aur - dr * aui).sum(-1)
    return torch.stack([sx, sy, up - down, up + down], dim=1)
