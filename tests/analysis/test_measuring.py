"""A run's measures and pictures in one call: by three ways to name the run, and against the functions themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Heun, Lattice, measure, plot
from sdgnn.analysis import bragg_weight, mean_chirality, observer, order_peaks, skyrmion_number, structure_factor
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Run, simulate
from sdgnn.fields import Heisenberg

LATTICE = Lattice.triangular(6, 6)


def quench(lattice: Lattice = LATTICE, folder=None, names: tuple[str, ...] = ("spins", "energy"), **settings) -> Run:
    """Twenty steps of two replicas."""
    field, spins = Heisenberg(lattice, [-1.0]), sdgnn.spins.random(lattice, 2, seed=3)
    watch = [observer(name, lattice, every=10) for name in names]
    return simulate(
        field, spins, Heun(**{"dt": 0.05, "damping": 0.5, "kT": 0.01, **settings}), 20, observers=watch, folder=folder
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return quench(folder=tmp_path_factory.mktemp("run") / "quench")


def test_every_measure_is_that_of_its_function_at_every_time(run: Run) -> None:
    found = run.measure("skyrmion_number", "chirality", "tetrahedral", "structure_factor", "energy")
    assert list(found.data_vars) == ["skyrmion_number", "chirality", "tetrahedral", "structure_factor", "energy"]
    peaks = order_peaks("tetrahedral", LATTICE)
    for k, state in enumerate(map(torch.from_numpy, run.trajectory["spins"].values)):
        assert np.allclose(found["skyrmion_number"][k], skyrmion_number(state, LATTICE))
        assert np.allclose(found["chirality"][k], mean_chirality(state, LATTICE))
        assert np.allclose(found["tetrahedral"][k], bragg_weight(state, LATTICE, peaks))
        assert np.allclose(found["structure_factor"][k], structure_factor(state, LATTICE))
        assert np.allclose(found["energy"][k], run.field(state).energy)
    assert found["chirality"].dims == ("time", "replica") and found["time"].values.tolist() == [0.0, 0.5, 1.0]
    assert found["energy"].attrs["units"] == "t" and found["q"].shape == (36, 2)


def test_a_perfect_order_is_all_of_its_peaks() -> None:
    trajectory = quench().trajectory
    state = sdgnn.spins.tetrahedral(LATTICE, replicas=2).numpy()
    found = measure(trajectory.assign(spins=trajectory["spins"] * 0 + state), "tetrahedral", "ferro", "chirality")
    assert np.allclose(found["tetrahedral"], 1) and np.allclose(found["ferro"], 0)
    assert np.allclose(abs(found["chirality"]), 4 / (3 * 3**0.5))


def test_run_folder_and_trajectory_are_measured_alike(run: Run) -> None:
    first = run.measure()
    assert first.equals(measure(run.store)) and first.equals(measure(run.trajectory))
    assert {"energy", "skyrmion_number", "parallel_bonds"} <= set(first.data_vars)
    assert all(values.dims == ("time", "replica") for values in first.data_vars.values())


def test_what_was_recorded_is_taken_as_it_is() -> None:
    recorded = quench(names=("energy", "chirality"))
    assert set(recorded.measure().data_vars) == {"energy", "chirality"}
    assert recorded.measure("chirality")["chirality"].equals(recorded.trajectory["chirality"])
    with pytest.raises(UserError, match="record the observer spins"):
        recorded.measure("skyrmion_number")


def test_what_cannot_be_measured_is_told(run: Run) -> None:
    with pytest.raises(UserError, match="did you mean 'chirality'"):
        run.measure("chiralty")
    with pytest.raises(UserError, match="record the observer density"):
        run.measure("density")
    with pytest.raises(UserError, match="chain, square and cubic"):
        run.measure("neel")
    with pytest.raises(UserError, match="'chirality' on"):
        quench(Lattice.chain(6)).measure("chirality")


def test_a_run_is_drawn_by_default(run: Run) -> None:
    """Maps of spins at three times, the energy per site with its error, and the orders with their perfect value."""
    figure = run.plot()
    maps = [axes for axes in figure.axes if axes.get_title().startswith("time")]
    assert len(maps) == 3
    (energy,) = (axes for axes in figure.axes if axes.get_ylabel() == "energy per site ($t$)")
    assert np.allclose(energy.lines[0].get_ydata(), run.trajectory["energy"].mean("replica") / 36)
    assert energy.get_title(loc="right") == "bars: standard error over 2 replicas"
    (order,) = (axes for axes in figure.axes if axes.get_ylabel() == "order parameter")
    assert "tetrahedral order" in [text.get_text() for text in order.texts]


def test_panels_are_named(run: Run) -> None:
    figure = plot(run.store, "skyrmion_number", "structure_factor", "chirality")
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert "skyrmion number" in labels and "mean scalar chirality" in labels and "$S(q)$" in labels
    drawn = figure.axes[labels.index("skyrmion number")].lines[0].get_ydata()
    assert np.allclose(drawn, run.measure("skyrmion_number")["skyrmion_number"].mean("replica"))
    assert run.plot("chirality").get_figwidth() < 4 < figure.get_figwidth()


def test_maps_are_of_the_time_and_replica_asked_for(run: Run) -> None:
    figure = run.plot("spins", time=0.6, replica=1)
    (panel,) = (axes for axes in figure.axes if axes.get_title().startswith("time"))
    assert panel.get_title() == r"time 0.5 $\hbar/t$"
    (arrows,) = (c for c in panel.collections if type(c).__name__ == "Quiver")
    site = LATTICE.find(np.array(arrows.XY))
    assert np.allclose(arrows.U, run.trajectory["spins"].values[1, 1, site, 0])


def test_settings_have_curves_of_their_own() -> None:
    figure = quench(kT=(0.01, 0.2)).plot("energy")
    assert [text.get_text() for text in figure.findobj(lambda a: a.__class__.__name__ == "Legend")[0].texts] == [
        "kT = 0.01", "kT = 0.2",
    ]  # fmt: skip


def test_chains_show_numbers() -> None:
    figure = quench(Lattice.chain(6)).plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["energy per site ($t$)", "order parameter"]


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        (("enrgy",), {}, "did you mean 'energy'"),
        (("energy",), {"time": 0.5}, "leave time= away"),
        (("spins",), {"time": 7.0}, "recorded times, 0 to 1"),
        (("spins",), {"replica": 2}, "0 to 1"),
        (("sublattices",), {}, "sublattices of an order"),
    ],
)
def test_what_cannot_be_drawn_is_told(run: Run, names: tuple[str, ...], settings: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        run.plot(*names, **settings)
