"""One run on several processes: the trajectory of one process, whatever their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.subdomain_runs import network, runs
from helpers.torchrun import TESTS, torchrun

import sdgnn
from sdgnn import Lattice, SDModel, TruncatedField
from sdgnn.dynamics import open_trajectory
from sdgnn.dynamics.checkpoint import last_checkpoint
from sdgnn.dynamics.domain_decomposition import Subdomain
from sdgnn.fields import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.lattice import halo_cells

CASES = ("network", "implicit", "classical", "adaptive", "committee", "electrons")
STEPS = 13


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    runs(folder, STEPS)
    return folder


def same_but_for_rounding(one: Path, other: Path) -> None:
    """Sums over sites run in another order and kernels see other sizes, a few roundings of 1e-16 in each of 13 steps;
    the temperature divides by a curvature that is taken from differences of fields, which loses six digits."""
    for name in CASES:
        first, second = open_trajectory(one / name), open_trajectory(other / name)
        assert first["step"].equals(second["step"]) and first["step"].values[-1] == STEPS - 1
        for quantity in first.data_vars:
            tolerance = 1e-8 if quantity == "spin_temperature" else 1e-12
            np.testing.assert_allclose(second[quantity], first[quantity], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_make_the_trajectory_of_one(processes: int, alone: Path, tmp_path: Path) -> None:
    done = torchrun(processes, TESTS / "helpers" / "subdomain_runs.py", tmp_path, STEPS)
    assert done.returncode == 0, done.stderr
    same_but_for_rounding(alone, tmp_path)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(alone: Path, tmp_path: Path) -> None:
    script = TESTS / "helpers" / "subdomain_runs.py"
    assert torchrun(2, script, tmp_path, 6).returncode == 0
    assert last_checkpoint(tmp_path / "network").step == 6
    assert torchrun(3, script, tmp_path, 10).returncode == 0
    runs(tmp_path, STEPS)
    same_but_for_rounding(alone, tmp_path)


FIELDS = {
    "network": lambda lattice: network(lattice),
    "classical": lambda lattice: (
        Heisenberg(lattice, [1.0, -0.3]) + DMI(lattice, 0.2) + Anisotropy(lattice, 0.1) + Zeeman(lattice, (0, 0, 0.5))
    ),
}


def electrons(lattice: Lattice) -> TruncatedField:
    """At given mu, so that a part of the crystal knows all that decides its field."""
    return TruncatedField(SDModel(lattice), kT=0.1, mu=-2.0, cutoff=2, moments=9)


@pytest.mark.parametrize("name", [*FIELDS, "electrons"])
def test_halos_are_as_wide_as_they_must_be(name: str) -> None:
    """With the halo of a field, its part is that of the crystal; with half of the halo it is not (the control)."""
    lattice = Lattice.triangular(18, 5)
    field = {**FIELDS, "electrons": electrons}[name](lattice)
    spins = sdgnn.spins.random(lattice, 2, seed=0)
    assert field.halo is not None
    halo = int(halo_cells(lattice, field.halo)[0])
    missed = {}
    for width in (halo, halo // 2):
        subdomain = Subdomain(lattice, (9, 9), 1, width)
        planes = torch.arange(9 - width, 18 + width).remainder(18)
        sites = (planes[:, None] * subdomain.plane + torch.arange(subdomain.plane)).flatten()
        own = slice(width * subdomain.plane, (width + 9) * subdomain.plane)
        part = field.part(subdomain.crystal(width), own, lambda energy: energy)
        vectors = part(spins[:, sites]).field[:, own]
        missed[width] = float((vectors - field(spins).field[:, subdomain.sites]).abs().max())
    assert missed[halo] < 1e-12 and missed[halo // 2] > 1e-3


QUENCH = """
lattice: {type: triangular, size: [9, 4]}
field: {heisenberg: [1.0]}
integrator: {dt: 0.05, damping: 0.3, kT: 0.1}
steps: 10
observe: {energy: 5}
output: quench
"""


def test_the_command_on_several_processes(tmp_path: Path) -> None:
    (tmp_path / "quench.yaml").write_text(QUENCH)
    done = torchrun(2, "-m", "sdgnn", "simulate", "quench.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trajectory: quench") == 1, "the first process alone speaks"
    assert open_trajectory(tmp_path / "quench")["step"].values.tolist() == [0, 5, 10]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "change", "words"),
    [
        (4, "lattice.size=[3,9]", "4 processes for 3 planes of unit cells along the first axis; allowed: at most"),
        (
            2,
            "field={electrons: {kT: 0.1, filling: 0.25}}",
            "on several processes; allowed: networks and classical fields on crystals",
        ),
        (2, "integrator={scheme: monte-carlo, kT: 0.1}", "Monte Carlo of"),
        (2, "output=null", "without output; allowed: output=FOLDER"),
    ],
)
def test_what_cannot_be_shared_is_said_once(processes: int, change: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "quench.yaml").write_text(QUENCH)
    done = torchrun(processes, "-m", "sdgnn", "simulate", "quench.yaml", change, cwd=tmp_path)
    said = " ".join(done.stderr.split())
    assert done.returncode != 0 and said.count(words) == 1, done.stderr
