"""Scripts for other programs of spin waves: their numbers, read back from the text and solved by another method.

The method is Holstein's and Primakoff's as Toth and Lake write it for SpinW (J. Phys.: Condens. Matter 27, 166002,
doi:10.1088/0953-8984/27/16/166002): bosons of an angular momentum, E = sum S_i J S_j. Nothing of the package's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

import sdgnn
from sdgnn import Lattice, exchange, spin_waves, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import DMI, Anisotropy, BondExchange, Exchange, Field, Heisenberg, Zeeman
from sdgnn.interchange import write_couplings, write_spinw, write_sunny

CHAIN, SQUARE, KAGOME, CUBES = Lattice.chain(8), Lattice.square(4, 4), Lattice.kagome(3, 3), Lattice.cubic(4, 2, 2)
LAYERS = [
    BondExchange(0, 0, (1, 0, 0), J=-1.0),
    BondExchange(0, 0, (0, 1, 0), J=0.7),
    BondExchange(0, 0, (0, 0, 1), J=0.5),
]
"""Ferromagnetic planes that alternate along x."""
CASES: dict[str, tuple[Callable[[], Field], Callable[[], Tensor]]] = {
    "chain": (
        lambda: Heisenberg(CHAIN, [1.0]) + DMI(CHAIN, 0.3) + Zeeman(CHAIN, (0.2, 0, 0)),
        lambda: spins.ferro(CHAIN, (1, 0, 0)),
    ),
    "kagome": (
        lambda: Heisenberg(KAGOME, [-1.0, -0.1]) + DMI(KAGOME, 0.1, "out-of-plane") + Anisotropy(KAGOME, -0.1),
        lambda: spins.q0(KAGOME),
    ),
    "cubic": (
        lambda: Exchange(CUBES, LAYERS) + Anisotropy(CUBES, 0.3, (1, 2, 2)),
        lambda: turned_to(spins.a_type(CUBES, axis=0), (1, 2, 2)),
    ),
    "electrons": (
        lambda: sdgnn.load("triangular-tetrahedral").on(Lattice.triangular(6, 6), dtype=torch.float64),
        lambda: spins.tetrahedral(Lattice.triangular(6, 6)),
    ),
}


def turned_to(state: Tensor, axis: tuple[float, float, float]) -> Tensor:
    """Collinear spins along z turned to ``axis``."""
    unit = torch.tensor(axis, dtype=torch.float64)
    return state[..., 2:] * unit / unit.norm()


class Written(NamedTuple):
    """What a script says."""

    spins: np.ndarray
    bonds: list[tuple[int, int, np.ndarray, np.ndarray]]
    onsite: np.ndarray
    field: np.ndarray
    q: np.ndarray
    expected: np.ndarray
    vectors: np.ndarray
    positions: np.ndarray


def matrix(text: str) -> np.ndarray:
    """A matrix of Julia or MATLAB."""
    return np.array([[float(x) for x in row.replace(",", " ").split()] for row in text.strip("[]").split(";")])


def of_sunny(text: str) -> Written:
    state = np.array([matrix(m)[0] for m in re.findall(r"set_dipole!\(sys, (\[.*?\])", text)])
    bonds = []
    for J, i, j, cell in re.findall(r"set_exchange!\(sys, (\[.*?\]), Bond\((\d+), (\d+), (\[.*?\])\)\)", text):
        bonds.append((int(i) - 1, int(j) - 1, matrix(cell)[0], matrix(J)))
    onsite, field = np.zeros((len(state), 3, 3)), np.zeros((len(state), 3))
    for A, k in re.findall(r"S' \* (\[.*?\]) \* S, (\d+)\)", text):
        onsite[int(k) - 1] = matrix(A)
    for B, k in re.findall(r"set_field_at!\(sys, (\[.*?\]), \(1, 1, 1, (\d+)\)\)", text):
        field[int(k) - 1] = matrix(B)[0]
    assert f"[i => Moment(s=1, g=-1) for i in 1:{len(state)}], :dipole_uncorrected" in text
    (found,) = re.findall(r"positions = \[(.*)\]", text)
    positions = np.array([matrix(m)[0] for m in re.findall(r"\[.*?\]", found)])
    (found,) = re.findall(r"qs = \[(.*)\]  #", text)
    q = np.array([matrix(m)[0] for m in re.findall(r"\[.*?\]", found)])
    expected = matrix(re.findall(r"expected = (\[.*?\])", text)[0])
    vectors = matrix(re.findall(r"latvecs = (\[.*?\])", text)[0]).T
    return Written(state, bonds, onsite, field, q, expected, vectors, positions)


def of_spinw(text: str) -> Written:
    state = matrix(re.findall(r"'S', (\[.*?\]), 'nExt'", text)[0]).T
    (table,) = re.findall(r"bonds = \[\n(.*?)\];", text, re.DOTALL)
    rows = np.array([[float(x) for x in line.split()] for line in table.splitlines()])
    bonds = [(int(r[3]) - 1, int(r[4]) - 1, r[:3], r[5:].reshape(3, 3)) for r in rows]
    onsite = np.zeros((len(state), 3, 3))
    for A, k in re.findall(r"'value', (\[.*?\])\); s.addaniso\('A\d+', 'S(\d+)'\)", text):
        onsite[int(k) - 1] = matrix(A)
    q = matrix(re.findall(r"q = (\[.*?\]);", text)[0]).T
    expected = matrix(re.findall(r"expected = (\[.*?\]);", text)[0]).T
    (a, b, c), (alpha, beta, gamma) = (matrix(m)[0] for m in re.findall(r"(?:lat_const|angle)', (\[.*?\])", text))
    x = c * np.cos(beta)
    y = c * (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    vectors = np.array([[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [x, y, np.sqrt(c**2 - x**2 - y**2)]])
    positions = np.array([matrix(m)[0] for m in re.findall(r"addatom\('r', (\[.*?\])", text)])
    return Written(state, bonds, onsite, np.zeros_like(state), q, expected, vectors, positions)


def frequencies(written: Written) -> np.ndarray:
    """omega (q, band) of bosons, by White's non-Hermitian matrix; wave vectors in reciprocal vectors of the cell."""
    S, count = written.spins, len(written.spins)
    first = np.cross(np.eye(3)[np.abs(S).argmin(1)], S)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    u = first + 1j * np.cross(S, first)
    bonds = [(i, j, cell, J) for i, j, cell, J in written.bonds]
    bonds += [(j, i, -cell, J.T) for i, j, cell, J in written.bonds]
    bonds += [(i, i, np.zeros(3), 2 * A) for i, A in enumerate(written.onsite)]  # S A S counts both spins of a pair

    def summed(q: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = np.zeros((count, count), dtype=complex)
        for i, j, cell, J in bonds:
            found[i, j] += u[i] @ J @ right[j] / 2 * np.exp(2j * np.pi * q @ cell)
        return found

    C = np.diag(
        [sum(S[i] @ J @ S[j] for i, j, _, J in bonds if i == k) - written.field[k] @ S[k] for k in range(count)]
    )
    g = np.diag([1.0] * count + [-1.0] * count)
    found = []
    for q in written.q:
        B = summed(q, u)
        h = np.block([[summed(q, u.conj()) - C, B], [B.conj().T, summed(-q, u.conj()).conj() - C]])
        found.append(np.sort(np.linalg.eigvals(g @ h).real)[count:])
    return np.array(found)


@pytest.mark.parametrize("name", CASES)
def test_scripts_give_the_frequencies_of_the_field(name: str, tmp_path: Path) -> None:
    """By bosons of the numbers in the text, in both programs' conventions; the frequencies that the scripts compare
    with are those; and all of them are omega(-q) of the field, at wave vectors made from the lattice in the text."""
    field, state = (make() for make in CASES[name])
    found = exchange(field, state)
    dim = field.lattice.dim
    for write, read in ((write_sunny, of_sunny), (write_spinw, of_spinw)):
        written = read(write(tmp_path / "couplings", found).read_text())
        assert frequencies(written) == pytest.approx(written.expected, abs=1e-7)
        cartesian = written.q @ (2 * np.pi * np.linalg.inv(written.vectors).T)
        turn = np.linalg.lstsq(written.vectors[:dim, :], found.cell.vectors, rcond=None)[0]
        own = spin_waves(found, q=-(cartesian @ turn))
        assert own.omega == pytest.approx(written.expected, abs=1e-9) and written.expected.max() > 0.05
        assert 2 * len(written.bonds) == len(found)
        # bonds end where atoms are: lengths in the script's own lattice are those of the couplings
        ends = [(c + written.positions[j] - written.positions[i]) @ written.vectors for i, j, c, _ in written.bonds]
        assert np.sort(np.linalg.norm(ends, axis=1)) == pytest.approx(np.sort(found.length)[::2])
        assert ((written.positions >= 0) & (written.positions < 1)).all()
        assert np.linalg.det(written.vectors) > 0


def test_spinw_turns_spins_with_the_lattice(tmp_path: Path) -> None:
    """DMI along the bonds stays along the bonds: D of every bond of the script is parallel to it."""
    found = exchange(Heisenberg(KAGOME, [1.0]) + DMI(KAGOME, 0.2), spins.ferro(KAGOME))
    for write, read in ((write_sunny, of_sunny), (write_spinw, of_spinw)):
        written = read(write(tmp_path / "couplings", found).read_text())
        for i, j, cell, J in written.bonds:
            along = (cell + written.positions[j] - written.positions[i]) @ written.vectors
            D = -np.array([J[1, 2] - J[2, 1], J[2, 0] - J[0, 2], J[0, 1] - J[1, 0]]) / 2
            assert pytest.approx(0.2 * along, abs=1e-12) == D


def test_the_table_holds_the_energy(tmp_path: Path) -> None:
    """E of a random state from the numbers in JSON and their ``meaning``, on a lattice whose cell is the whole."""
    lattice = Lattice.honeycomb(2, 3)
    field = Heisenberg(lattice, [0.7]) + DMI(lattice, 0.2) + Anisotropy(lattice, 0.3) + Zeeman(lattice, (0.1, 0, 0.4))
    state = spins.random(lattice, seed=2)
    table = json.loads(write_couplings(tmp_path / "table.json", exchange(field, state)).read_text())
    S = np.array(table["spins"])
    energy = -sum(S[b["source"]] @ np.array(b["J"]) @ S[b["target"]] for b in table["bonds"])
    energy -= 0.5 * np.einsum("na,nab,nb->", S, np.array(table["K"]), S) + (np.array(table["h"]) * S).sum()
    assert energy == pytest.approx(float(field(state).energy))
    positions, vectors = np.array(table["positions"]), np.array(table["vectors"])
    for b in table["bonds"]:
        end = positions[b["target"]] + np.array(b["cell"]) @ vectors - positions[b["source"]]
        assert end == pytest.approx(np.array(b["vector"]), abs=1e-9)


def test_states_without_frequencies_say_so(tmp_path: Path) -> None:
    field = Heisenberg(SQUARE, [1.0])
    for state in (spins.random(SQUARE), spins.neel(SQUARE)):
        for write in (write_sunny, write_spinw):
            text = write(tmp_path / "script", exchange(field, state)).read_text()
            assert "no frequencies to compare with" in text and "expected" not in text
    with pytest.raises(UserError, match="couplings with bonds"):
        write_sunny(tmp_path / "none", exchange(Anisotropy(SQUARE, 1.0), spins.ferro(SQUARE)))
