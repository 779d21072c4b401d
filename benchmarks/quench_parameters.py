"""The parameters of the published exact quench of a 30 x 30 double-exchange lattice, recovered from its snapshots.

    python benchmarks/quench_parameters.py DATA.npz

DATA.npz holds spins, step and the electrons' field of the snapshots (Zhang and Chern, Phys. Rev. Lett. 127, 146401,
doi:10.1103/PhysRevLett.127.146401; zhangpuhan/ML_double_exchange). Four tables, by routes of their own:

1. electrons' kT: root mean square of the torque of diagonalisation minus the published one, for each kT;
2. damping and time step: runs without a bath from the first snapshot, by accurate truncated electrons. The mean of
   S . S' with the second snapshot is largest when the run has gone as far, and at the right damping;
3. bath kT: the spins' temperature of late snapshots, sum |S x H|^2 / L with the published fields, L the Laplacian of
   the energy on the spheres (sdgnn.dynamics.spin_temperature) by accurate truncated electrons;
4. damping and bath kT from energy. Between snapshots the spins lose

       E_a - E_b = alpha / (1 + alpha^2) [ int sum |S x H|^2 dt - kT int L dt ] ,

   E by diagonalisation, |S x H|^2 of the published fields, both integrals by trapezoids over the snapshots; alpha and
   kT by least squares over the windows, errors from what is left over.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from published_quench import BONDS, DAMPING, DT, ELECTRONS, EXCHANGE, KT, LATTICE, field_of
from stored_results import console, table
from torch import Tensor

import sdgnn
from sdgnn.analysis import observer
from sdgnn.dynamics import Observer
from sdgnn.dynamics.spin_temperature import probed_laplacian
from sdgnn.electrons.exact import eigenstates
from sdgnn.electrons.filling import occupations

TEMPERATURES = (0.001, 0.002, 0.0025, 0.003, 0.0035, 0.004, 0.006, 0.01, 0.02)
DAMPINGS = (0.03, 0.04, 0.05, 0.06, 0.07, 0.1)
LATE = (28, 32, 36, 40)
"""Snapshots whose spins' temperature is taken, those of t = 700 to 1000."""
WINDOWS = (2, 4, 6, 8, 12, 20, 40)
"""Snapshots between which energies are compared."""
MODEL = sdgnn.SDModel(LATTICE, exchange=EXCHANGE)


def torque(spins: Tensor, field: Tensor) -> Tensor:
    """S x H."""
    return torch.linalg.cross(spins, field)


def electrons_temperature(spins: Tensor, field: Tensor, names: list[str]) -> None:
    """Torque of diagonalisation minus that of the data, of states (state, site, 3)."""
    rows = []
    for name, s, h in zip(names, spins, field, strict=True):
        _, ((levels, states),) = eigenstates(MODEL, s, (1, 1), KT, None, ELECTRONS / BONDS)
        up, down = states[0::2], states[1::2]
        deviations = []
        for kT in TEMPERATURES:
            f = occupations(levels[None], kT, None, ELECTRONS / BONDS).f[0]
            mixed, z = (f * down * up.conj()).sum(-1), (f * (up.abs() ** 2 - down.abs() ** 2)).sum(-1)
            exact = EXCHANGE * torch.stack([2 * mixed.real, 2 * mixed.imag, z], dim=-1)
            deviations.append(float((torque(s, exact - h) ** 2).mean().sqrt()))
        rows.append((name, f"{float((torque(s, h) ** 2).mean().sqrt()):.4f}", *(f"{1e4 * d:.2f}" for d in deviations)))
    columns = ("state", "torque", *(f"kT {kT:g}" for kT in TEMPERATURES))
    table("electrons: rms torque, and 10^4 times rms of diagonalisation minus published", columns, rows)


def motion(spins: Tensor, time: float, dt: float) -> None:
    """Runs from the first of (state, site, 3) towards the second, ``time`` later."""
    every = max(1, round(0.5 / dt))
    seen = [Observer("met", lambda state, _: (state.spins * spins[1].to(state.spins)).sum(-1).mean(1), every=every)]
    seen.append(observer("parallel_bonds", LATTICE, round(time / dt)))
    rows = []
    for damping in DAMPINGS:
        integrator = sdgnn.DepondtMertens(dt=dt, damping=damping, kT=0.0)
        run = sdgnn.simulate(
            field_of("accurate"), spins[:1].float(), integrator, round(1.2 * time / dt), observers=seen
        )
        met, bonds = run.trajectory["met"][:, 0], run.trajectory["parallel_bonds"]
        when = met[met.dims[0]].values
        peak = int(met.values.argmax())
        level, slope, curve = np.polyfit(when[peak - 1 : peak + 2] - when[peak], met.values[peak - 1 : peak + 2], 2)[
            ::-1
        ]
        best = when[peak] - slope / (2 * curve)
        at = float(met.values[np.abs(when - time).argmin()])
        rows.append((f"{damping:g}", f"{best:.2f}", f"{level:.4f}", f"{at:.4f}", f"{float(bonds[1, 0]) * BONDS:.0f}"))
    columns = ("damping", "time of the largest S . S'", "S . S' there", f"at {time:g}", f"parallel bonds at {time:g}")
    table(f"motion to the second snapshot, t = {time:g}", columns, rows)


def laplacians(spins: Tensor) -> Tensor:
    """L of states (state, site, 3), each from one random tangent of accurate truncated electrons."""
    field = field_of("accurate")
    integrator = sdgnn.DepondtMertens(dt=1.0, damping=DAMPING)
    return torch.cat([probed_laplacian(field, integrator.init(field, s[None], seed=k)) for k, s in enumerate(spins)])


def energies(spins: Tensor) -> np.ndarray:
    """Helmholtz energy of the electrons of states (state, site, 3), by diagonalisation."""
    exact = sdgnn.ExactField(MODEL, kT=KT, filling=ELECTRONS / BONDS)
    return np.array([float(exact(s[None]).energy) for s in spins])


def main() -> None:
    """Print the four tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="double_exchange_prl2021.npz")
    parser.add_argument("--dt", type=float, default=0.1, help="of the runs of the second table")
    given = parser.parse_args()
    with np.load(given.data, allow_pickle=False) as data:
        spins, field = (torch.from_numpy(data[name]).double() for name in ("spins", "field"))
        quench, step = data["protocol"] == "quench", data["step"]
    other = int(np.flatnonzero(~quench)[0])
    electrons_temperature(spins[[0, other, 4]], field[[0, other, 4]], ["t = 0", "random", "t = 100"])
    spins, field, times = spins[quench], field[quench], step[quench] * DT
    motion(spins[:2], float(times[1]), given.dt)

    power, curvature = (torque(spins, field) ** 2).sum((1, 2)).numpy(), laplacians(spins).numpy()
    temperature = power / curvature
    rows = [
        (f"{times[k]:g}", f"{power[k]:.4f}", f"{curvature[k]:.1f}", f"{temperature[k]:.5f}") for k in (*WINDOWS, *LATE)
    ]
    table("spins' temperature", ("t", "sum |S x H|^2", "L", "kT"), rows)
    late = temperature[28:]
    console.print(f"t = 700 to 1000: kT = {late.mean():.5f} ± {late.std(ddof=1) / len(late) ** 0.5:.5f}")

    energy = energies(spins[list(WINDOWS)])
    spans = [slice(a, b + 1) for a, b in itertools.pairwise(WINDOWS)]
    taken = np.array([[np.trapezoid(power[s], times[s]), np.trapezoid(curvature[s], times[s])] for s in spans])
    lost = energy[:-1] - energy[1:]
    (rate, back), *_ = np.linalg.lstsq(taken, lost, rcond=None)
    left = lost - taken @ (rate, back)
    spread = np.sqrt(np.diag(np.linalg.inv(taken.T @ taken)) * (left**2).sum() / (len(left) - 2))
    compared = [
        (f"{times[s.start]:g} to {times[s.stop - 1]:g}", f"{e:.4f}", f"{p:.2f}", f"{c:.0f}", f"{e / p:.4f}")
        for s, e, (p, c) in zip(spans, lost, taken, strict=True)
    ]
    table("energy", ("t", "lost", "int |S x H|^2 dt", "int L dt", "lost over integral"), compared)
    console.print(f"alpha / (1 + alpha^2) = {rate:.4f} ± {spread[0]:.4f}, bath kT = {-back / rate:.5f}")


if __name__ == "__main__":
    main()
