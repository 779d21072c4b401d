"""Analysis reports name what was simulated, and draw and say what lattice and record allow."""

from __future__ import annotations

import pytest

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import agreement, analyze, observers
from sdgnn.analysis.plots import trajectory_figures
from sdgnn.cli.report.run import run_section
from sdgnn.cli.report.trajectory import agreement_section, caption, told_of
from sdgnn.dynamics import Heun, simulate
from sdgnn.fields import Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.schedules import Quench


def run(lattice, integrator, field=None, names=("spins", "energy"), replicas=2, folder=None):
    field = Heisenberg(lattice, [-1.0]) if field is None else field
    spins = sdgnn.spins.random(lattice, replicas, seed=0)
    chosen = [observers.observer(name, lattice, 5, (field, integrator)) for name in names]
    return simulate(field, spins, integrator, 10, observers=chosen, folder=folder, seed=6).trajectory


def table(section):
    return dict(section.tables[0].rows)


def test_the_run_is_named(tmp_path):
    """Lattice, J, filling, kT of electrons and bath, time step, damping, and the terms beside the electrons."""
    lattice = Lattice.triangular(4, 4)
    electrons = sdgnn.TruncatedField(sdgnn.SDModel(lattice, exchange=2.5), kT=0.15, filling=0.3, cutoff=2, moments=9)
    field = electrons + Zeeman(lattice, (0, 0, 0.7)) + Anisotropy(lattice, 0.4)
    integrator = Heun(dt=0.05, damping=0.35, kT=0.02)
    rows = run_section(run(lattice, integrator, field, folder=tmp_path), lattice, tmp_path).tables[0].rows
    text = "\n".join(": ".join(row) for row in rows)
    for words in (
        "lattice: Lattice.triangular(4, 4)", "exchange=2.5", "filling=0.3", "kT=0.15", "Zeeman(field=(0.0, 0.0, 0.7)",
        "Anisotropy(strength=0.4", "integrator: Heun", "dt: 0.05", "damping: 0.35", "bath: 0.02 t", "seed: 6",
        "precision: float64", "replicas: 2", "energy recorded: 3 times, 0 to 0.5",
    ):  # fmt: skip
        assert words in text, words
    assert text.count("Lattice.triangular") == 1


def test_settings_and_schedules_are_named():
    lattice = Lattice.square(4, 4)
    mixed = run_section(run(lattice, Heun(dt=0.05, damping=0.3, kT=(0.1, 0.2))), lattice)
    assert table(mixed)["settings"] == "kT = 0.1 (1 replica(s)); kT = 0.2 (1 replica(s))"
    assert table(mixed)["kT of the spins' bath"] == "0.1, 0.2 t, by replica"
    quench = run_section(run(lattice, Heun(dt=0.05, damping=0.3, kT=Quench(before=0.5, after=0.1, at=2.0))), lattice)
    assert table(quench)["kT of the spins' bath"] == "quench: before 0.5, after 0.1, at 2"


def captions(lattice, **settings):
    """Of all figures, which are drawn but not rendered."""
    trajectory = run(lattice, Heun(dt=0.05, damping=0.3, kT=0.1), **settings)
    found = analyze(trajectory, lattice)
    return " ".join(caption(n, trajectory, found, lattice) for n in trajectory_figures(trajectory, found, lattice))


@pytest.mark.parametrize(
    ("lattice", "tetrahedral", "zone"),
    [
        (Lattice.triangular(4, 4), True, "in the first Brillouin zone."),
        (Lattice.square(4, 4), False, "in the first Brillouin zone."),
        (Lattice.kagome(2, 2), False, "in a zone 2 times as wide"),
        (Lattice.honeycomb(2, 2), False, "in a zone 3 times as wide"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_captions_say_what_the_lattice_has(lattice, tetrahedral, zone):
    told = captions(lattice)
    assert ("tetrahedral" in told) == tetrahedral
    assert zone in told


def test_a_chain_has_no_maps():
    told = captions(Lattice.chain(6))
    assert "Spins of" not in told and "chirality" not in told and "Energy per site" in told


def test_every_asked_observable_is_drawn_or_named():
    asked = (
        "energy",
        "magnetization",
        "parallel_bonds",
        "skyrmion_number",
        "spin_temperature",
        "density",
        "chirality_map",
    )
    lattice = Lattice.square(4, 4)
    trajectory = run(lattice, Heun(dt=0.05, damping=0.3, kT=0.1), names=asked)
    page = told_of(trajectory, analyze(trajectory, lattice), lattice)
    numbers = page.sections[-1]
    told = " ".join(figure.caption for figure in (*page.lead, *numbers.figures))
    for words in ("Mean spin", "Share of nearest-neighbour bonds", "Skyrmion number", "Temperature of the spins"):
        assert words in told, words
    assert page.lead[0].caption == "Mean scalar chirality of the triangles around a site, first replica."
    assert "Not drawn (no number, or of other dimensions): density" in numbers.text[1]  # of a classical field: NaN


def test_runs_that_differ_are_called_so():
    lattice = Lattice.square(4, 4)
    cold, hot = (
        analyze(run(lattice, Heun(dt=0.05, damping=0.3, kT=kT), names=["energy"]), lattice) for kT in (0.1, 0.2)
    )
    assert agreement_section(agreement(cold, hot), "a", "b").text[0] == "The runs differ in kT = 0.1 and 0.2."
    assert "differ" not in " ".join(agreement_section(agreement(cold, cold), "a", "b").text)
