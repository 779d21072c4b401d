"""Effective exchange for other programs of spin waves: scripts for Sunny.jl and SpinW, and a table in JSON.

Both programs take S for an angular momentum, dS/dt = + S x H; here S is a moment's direction, dS/dt = - S x H. Waves
run the other way, so that omega(q) there is omega(-q) here, which differs where there is DMI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sdgnn.analysis.waves.couplings import Couplings
from sdgnn.analysis.waves.modes import spin_waves
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path, write_json
from sdgnn.common.version import VERSION

WHERE = np.array([[0.1, 0.05, 0.0], [0.23, 0.41, 0.0], [0.37, 0.12, 0.0], [0.48, 0.29, 0.0]])
"""Wave vectors, in reciprocal vectors of the magnetic cell, at which a script compares its frequencies."""
DIGITS = 14
"""Decimals of the numbers in scripts."""
FORMAT = "sdgnn couplings 1"
"""What the table in JSON calls itself."""
MEANING = (
    "E = - 1/2 sum_ij S_i . J_ij S_j - 1/2 sum_i S_i . K_i S_i - sum_i h_i . S_i with unit spins, sums over bonds in "
    "both directions; here each bond once, E = - S_i . J_ij S_j; dS/dt = - S x H with H = -dE/dS; lengths in "
    "nearest-neighbour distances, energies in t"
)


@dataclass(frozen=True)
class _Written:
    """Couplings as both programs want them: three dimensions, positions in the cell, each bond once."""

    vectors: Float[np.ndarray, "3 3"]
    """Rows are the primitive vectors of the magnetic cell; axes that the lattice lacks are longer than every bond."""
    positions: Float[np.ndarray, "member 3"]
    """Fractions of these vectors, in [0, 1)."""
    bonds: Int[np.ndarray, " bond"]
    """Numbers of the bonds, one of each pair of directions."""
    cells: Int[np.ndarray, "bond 3"]
    """Cells from that of the source to that of the target."""

    @classmethod
    def of(cls, couplings: Couplings) -> _Written:
        """Raises UserError without any bonds."""
        if len(couplings) == 0:
            raise UserError(f"{couplings!r} to write", allowed="couplings with bonds")
        lattice, dim = couplings.lattice, couplings.lattice.dim
        vectors = (1.0 + couplings.length.max()) * np.eye(3)
        vectors[:dim, :dim] = couplings.cell.vectors
        positions = np.zeros((couplings.cell.count, 3))
        positions[:, :dim] = lattice.positions[couplings.cell.sites] @ np.linalg.inv(couplings.cell.vectors)
        positions -= np.floor(positions + 1e-6)
        apart = np.zeros((len(couplings), 3))
        apart[:, :dim] = couplings.vector @ np.linalg.inv(couplings.cell.vectors)
        cells = np.round(apart - positions[couplings.target] + positions[couplings.source]).astype(int)
        order = [(j - i, *cell) for i, j, cell in zip(couplings.source, couplings.target, cells.tolist(), strict=True)]
        once = np.array([k for k, key in enumerate(order) if key > (0, 0, 0, 0)])
        return cls(vectors, positions, once, cells[once])


def write_sunny(path: str | os.PathLike[str], couplings: Couplings) -> Path:
    """A Julia script that builds the couplings as a ``System`` of Sunny.jl (version 0.7 or later) and its spin waves::

        sdgnn.interchange.write_sunny("couplings.jl", sdgnn.exchange(field, spins))

    Sunny counts each bond once with a plus, E = S_i . J S_j, so that J there is - J_ij here; single-ion terms are
    S . A S with A = - K / 2; with g = -1 an external field is E = - B . S in energy units. Spins are s = 1 in the
    classical limit (``:dipole_uncorrected``), the crystal is the magnetic cell in space group 1 (no symmetry is
    assumed), energies are in t where Sunny says meV. Waves run the other way: omega(q) there is omega(-q) here.

    At its end the script compares four frequencies with those of this package. It was written from Sunny's
    documentation and source (https://sunnysuite.github.io/Sunny.jl/stable/library.html); no test here runs Julia.
    Where E is not bilinear the script holds the harmonic model around the state: see :class:`.Couplings`. Returns the
    path. Raises UserError on couplings without bonds and where the file cannot be written.
    """
    written = _Written.of(couplings)
    cell = couplings.cell
    lines = [
        *_head(couplings, "#"),
        "using Sunny, LinearAlgebra",
        "",
        f"latvecs = {_rows(written.vectors.T)}  # columns",
        f"positions = [{', '.join(_list(p) for p in written.positions)}]",
        f'types = ["S$i" for i in 1:{cell.count}]',
        "cryst = Crystal(latvecs, positions, 1; types)",
        f"sys = System(cryst, [i => Moment(s=1, g=-1) for i in 1:{cell.count}], :dipole_uncorrected)",
        "",
        "# bonds, each once: J = - J_ij",
    ]
    for bond, offset in zip(written.bonds, written.cells, strict=True):
        i, j = couplings.source[bond] + 1, couplings.target[bond] + 1
        lines.append(f"set_exchange!(sys, {_rows(-couplings.tensor[bond])}, Bond({i}, {j}, {_list(offset)}))")
    if np.any(couplings.onsite):
        lines += ["", "# single-ion terms: S . A S with A = - K / 2"]
        for k, matrix in enumerate(couplings.onsite):
            lines.append(f"set_onsite_coupling!(sys, S -> S' * {_rows(-matrix / 2)} * S, {k + 1})")
    if np.any(couplings.external):
        lines += ["", "# external field: E = - B . S"]
        for k, vector in enumerate(couplings.external):
            lines.append(f"set_field_at!(sys, {_list(vector)}, (1, 1, 1, {k + 1}))")
    lines += ["", "# the state"]
    lines += [f"set_dipole!(sys, {_list(spin)}, (1, 1, 1, {k + 1}))" for k, spin in enumerate(couplings.spins)]
    lines += ["", "swt = SpinWaveTheory(sys; measure=ssf_perp(sys))"]
    expected = _expected(couplings)
    if expected is None:
        lines += ["# no frequencies to compare with: the state is not at rest, or unstable"]
    else:
        lines += [
            f"qs = [{', '.join(_list(q) for q in WHERE)}]  # in reciprocal vectors of the magnetic cell",
            f"expected = {_rows(expected)}  # a row for each, ascending: omega(-q) of dS/dt = - S x H",
            "found = sort(permutedims(dispersion(swt, qs)), dims=2)",
            'println("largest difference of the frequencies: ", maximum(abs.(found - expected)))',
        ]
    return _write(path, lines)


def write_spinw(path: str | os.PathLike[str], couplings: Couplings) -> Path:
    """A MATLAB script that builds the couplings as a ``spinw`` object and its spin waves::

        sdgnn.interchange.write_spinw("couplings.m", sdgnn.exchange(field, spins))

    SpinW counts each bond once with a plus, S_i J S_j with i = ``atom1``, so that J there is - J_ij here; single-ion
    matrices are A = - K / 2. SpinW puts the first primitive vector along x and the second into the plane: spins and
    matrices are turned with the lattice. An external field h stands in the single-ion matrices as what it does to spin
    waves of this state, (h . S)(1 - S S^T) / 2, so that neither units nor the sign of SpinW's field matter. Bonds are
    looked up in SpinW's own list, whatever its order. Waves run the other way: omega(q) there is omega(-q) here.

    At its end the script compares four frequencies with those of this package. It was written from SpinW's
    documentation and source (https://spinw.org, SpinW 3 and 4); no test here runs MATLAB.
    Where E is not bilinear the script holds the harmonic model around the state: see :class:`.Couplings`. Returns the
    path. Raises UserError on couplings without bonds and where the file cannot be written.
    """
    written = _Written.of(couplings)
    turn = _frame(written.vectors)
    lengths = np.linalg.norm(written.vectors, axis=1)
    unit = written.vectors / lengths[:, None]
    angles = np.arccos(np.clip([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]], -1, 1))
    reach, closest = float(couplings.length.max()) + 1e-3, min(0.5, 0.9 * float(couplings.length.min()))
    lines = [
        *_head(couplings, "%"),
        "s = spinw;",
        f"s.genlattice('lat_const', {_list(lengths, ' ')}, 'angle', {_list(angles, ' ')}, 'spgr', 0);",
    ]
    for k, position in enumerate(written.positions):
        lines.append(f"s.addatom('r', {_list(position, ' ')}, 'S', 1, 'label', 'S{k + 1}', 'color', 'blue');")
    lines += [
        f"s.gencoupling('maxDistance', {reach:.6g}, 'forceNoSym', true, 'dMin', {closest:.6g});",
        "",
        "% bonds, each once: cells dl, atoms i and j, and J = - J_ij by rows",
        "bonds = [",
    ]
    for bond, offset in zip(written.bonds, written.cells, strict=True):
        ends = [int(couplings.source[bond]) + 1, int(couplings.target[bond]) + 1]
        matrix = turn @ -couplings.tensor[bond] @ turn.T
        lines.append("    " + " ".join(map(str, [*offset.tolist(), *ends, *_tidy(matrix).ravel().tolist()])))
    lines += [
        "];",
        "for k = 1:size(bonds, 1)",
        "    J = reshape(bonds(k, 6:14), 3, 3)';",
        "    table = double([s.coupling.dl; s.coupling.atom1; s.coupling.atom2])';",
        "    n = find(ismember(table, bonds(k, 1:5), 'rows'));",
        "    if isempty(n)  % the other direction",
        "        n = find(ismember(table, [-bonds(k, 1:3) bonds(k, [5 4])], 'rows')); J = J';",
        "    end",
        "    label = sprintf('J%d', k);",
        "    s.addmatrix('label', label, 'value', J);",
        "    shell = find(s.coupling.idx == s.coupling.idx(n));",
        "    s.addcoupling('mat', label, 'bond', s.coupling.idx(n), 'subIdx', find(shell == n));",
        "end",
    ]
    own = couplings.onsite - _held_by_field(couplings)
    if np.any(own):
        lines += ["", "% single-ion matrices A = - K / 2, and what an external field does to spin waves of this state"]
        for k, matrix in enumerate(own):
            value = _rows(turn @ (-matrix / 2) @ turn.T)
            lines.append(f"s.addmatrix('label', 'A{k + 1}', 'value', {value}); s.addaniso('A{k + 1}', 'S{k + 1}');")
    state = _rows((couplings.spins @ turn.T).T)
    lines += ["", "% the state", f"s.genmagstr('mode', 'direct', 'S', {state}, 'nExt', [1 1 1], 'k', [0 0 0]);", ""]
    expected = _expected(couplings)
    if expected is None:
        lines += ["% no frequencies to compare with: the state is not at rest, or unstable"]
    else:
        lines += [
            f"q = {_rows(WHERE.T)};  % columns, in reciprocal vectors of the magnetic cell",
            f"expected = {_rows(expected.T)};  % a column for each, ascending: omega(-q) of dS/dt = - S x H",
            "spectra = s.spinwave(q, 'hermit', false);",
            "found = sort(real(spectra.omega), 1);",
            f"found = found(end - {couplings.cell.count - 1}:end, :);",
            "fprintf('largest difference of the frequencies: %g\\n', max(abs(found(:) - expected(:))));",
        ]
    return _write(path, lines)


def write_couplings(path: str | os.PathLike[str], couplings: Couplings) -> Path:
    """The couplings as a table in JSON, for any program: lattice, state, each bond once, single-ion terms, field.

    ``meaning`` says the energy that the numbers belong to. Cells count primitive vectors of the magnetic cell
    (``vectors``, rows), ``positions`` are in units of the nearest-neighbour distance, matrices are rows. Returns the
    path. Raises UserError on couplings without bonds and where the file cannot be written.
    """
    written = _Written.of(couplings)
    dim = couplings.lattice.dim
    bonds = [
        {
            "source": int(couplings.source[bond]),
            "target": int(couplings.target[bond]),
            "cell": cell.tolist()[:dim],
            "vector": couplings.vector[bond].tolist(),
            "J": couplings.tensor[bond].tolist(),
        }
        for bond, cell in zip(written.bonds, written.cells, strict=True)
    ]
    table: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "meaning": MEANING,
        "bilinear": couplings.bilinear,
        "vectors": couplings.cell.vectors.tolist(),
        "positions": (written.positions @ written.vectors)[:, :dim].tolist(),
        "spins": couplings.spins.tolist(),
        "bonds": bonds,
        "K": couplings.onsite.tolist(),
        "h": couplings.external.tolist(),
    }
    return write_json(path, table)


def _expected(couplings: Couplings) -> Float[np.ndarray, "q band"] | None:
    """Frequencies of an angular momentum at :data:`WHERE`; None where the state is not at rest or not stable there."""
    dim = couplings.lattice.dim
    q = -WHERE[:, :dim] @ (2 * np.pi * np.linalg.inv(couplings.cell.vectors).T)
    try:
        waves = spin_waves(couplings, q=q)
    except UserError:
        return None
    return None if waves.unstable.any() else waves.omega


def _held_by_field(couplings: Couplings) -> Float[np.ndarray, "member 3 3"]:
    """(h . S)(1 - S S^T): matrices whose - K / 2 costs deviations of the state what the external field does."""
    spins = couplings.spins
    along = (couplings.external * spins).sum(1)
    return along[:, None, None] * (np.eye(3) - spins[:, :, None] * spins[:, None, :])


def _frame(vectors: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that brings the first of right-handed rows along x and the second into the upper half plane."""
    across, upper = np.linalg.qr(vectors.T)
    return (across * np.sign(np.diag(upper))).T


def _head(couplings: Couplings, mark: str) -> Iterator[str]:
    """What the script holds, as comments."""
    kind = "bilinear field" if couplings.bilinear else "harmonic model around one state of a field that is not bilinear"
    yield f"{mark} Written by sdgnn {VERSION}: {couplings!r}"
    yield f"{mark} {kind}; energies in t, lengths in nearest-neighbour distances, |S| = 1"
    yield f"{mark} largest |S x H| of the state: {couplings.residual_torque:.3g} t"
    yield ""


def _list(values: Sequence[float] | np.ndarray, between: str = ", ") -> str:
    """Numbers in brackets."""
    return f"[{between.join(map(repr, _tidy(values).tolist()))}]"


def _rows(matrix: np.ndarray) -> str:
    """A matrix as Julia and MATLAB write it, rows behind one another."""
    return f"[{'; '.join(' '.join(map(repr, row)) for row in _tidy(matrix).tolist())}]"


def _tidy(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Numbers without what rounding left of zeros, and without zeros of negative sign."""
    array = np.asarray(values)
    return array if array.dtype.kind in "iu" else np.round(array, DIGITS) + 0.0


def _write(path: str | os.PathLike[str], lines: Sequence[str]) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return Path(path)
