"""Figures: what is drawn where, labels and units; no pixels are compared."""

from __future__ import annotations

import io
import math

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import analyze, mean_and_error, observers, plots, scalar_chirality
from sdgnn.analysis.plots.cost import error_against_cost, error_by_cost
from sdgnn.analysis.plots.growth import spread
from sdgnn.analysis.plots.maps import sphere_colours, window
from sdgnn.analysis.plots.trajectory import snapshots
from sdgnn.analysis.spectra.dynamical import DynamicalStructureFactor, wave_vector_path
from sdgnn.analysis.spectra.static import structure_factor
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Heun, simulate
from sdgnn.fields import Heisenberg

MAPS = ("spins", "chirality_map", "structure_factor")


def rendered(figure: Figure) -> Figure:
    """The figure, after it could be drawn as vectors and as pixels."""
    for kind in ("svg", "png"):
        target = io.BytesIO()
        figure.savefig(target, format=kind)
        assert len(target.getvalue()) > 5000
    return figure


def artist(axes, gid):
    (found,) = axes.findobj(lambda a: a.get_gid() == gid)
    return found


def test_settings_of_matplotlib_stay_as_they_were():
    before = {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}
    plots.torque_errors({"test": {"a": 1.0, "b": 2.0}})
    assert {key: mpl.rcParams[key] for key in before} == before


def test_torque_parity_holds_every_component_and_tells_rmse_and_r2():
    rng = np.random.default_rng(0)
    exact = torch.from_numpy(rng.standard_normal((5, 20, 3)))
    figure = rendered(plots.torque_parity(exact, {"half": 0.5 * exact, "equal": exact}))
    half, equal = figure.axes[:2]
    assert half.get_title() == "half" and "($t$)" in half.get_ylabel()
    assert half.collections[0].get_array().sum() == 300
    r2 = 1 - 0.25
    rms = 0.5 * exact.square().mean().sqrt()
    assert f"{r2:.4f}" in half.texts[0].get_text() and f"{rms:.2g}" in half.texts[0].get_text()
    assert "1.0000" in equal.texts[0].get_text()
    with pytest.raises(UserError, match="do not fit"):
        plots.torque_parity(exact, {"wrong": exact[:2]})


def test_torque_errors_draws_a_bar_per_model_and_data_set():
    errors = {"small": {"1 shell": 0.02, "network": 0.002}, "large": {"1 shell": 0.021, "network": 0.003}}
    axes = rendered(plots.torque_errors(errors, reference=0.025)).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [0.02, 0.002, 0.021, 0.003]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1 shell", "network"]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["small", "large"]
    assert "($t$)" in axes.get_ylabel() and artist(axes, "rms torque").get_ydata()[0] == 0.025
    with pytest.raises(UserError, match="different models"):
        plots.torque_errors({"a": {"x": 1.0}, "b": {"y": 1.0}})


@pytest.mark.parametrize("lattice", [Lattice.triangular(6, 4), Lattice.kagome(4, 4)], ids=lambda lattice: lattice.name)
def test_spin_arrows_of_every_site_once(lattice):
    spins = sdgnn.spins.random(lattice, 2, seed=1)
    figure = rendered(plots.spin_maps({"$t = 0$": spins[0], "$t = 5$": spins[1]}, lattice))
    assert [a.get_title() for a in figure.axes[:2]] == ["$t = 0$", "$t = 5$"]
    assert figure.axes[2].get_ylabel() == "$S_z$"
    (arrows,) = (c for c in figure.axes[1].collections if isinstance(c, Quiver))
    width, height = window(lattice)
    at = np.array(arrows.XY)
    assert (at >= -1e-6).all() and (at < [width, height]).all()
    site = lattice.find(at)
    assert sorted(site) == list(range(lattice.n_sites))
    assert np.allclose(np.stack([arrows.U, arrows.V, arrows.get_array()], -1), spins[1].numpy()[site])


def test_large_spin_maps_are_patches_of_colour():
    lattice = Lattice.square(40, 40)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).repeat(1600, 1)
    up[41] = torch.tensor([0.0, 0.0, -1.0])
    figure = rendered(plots.spin_maps({"state": up}, lattice))
    image = figure.axes[0].images[0].get_array()
    dark = (image.sum(-1) < 1.5).mean()
    assert dark == pytest.approx(1 / 1600, rel=0.1)
    rows, columns = np.nonzero(image.sum(-1) < 1.5)
    assert columns.mean() / image.shape[1] * 40 == pytest.approx(1, abs=0.05)
    assert rows.mean() / image.shape[0] * 40 == pytest.approx(1, abs=0.05)


def test_colours_of_directions():
    """Up is light, down dark, and all directions in the plane equally light, in CIE luminance, to 12 %."""
    angle = np.linspace(0, 2 * math.pi, 37)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    luminance = [0.2126, 0.7152, 0.0722]
    linear = np.where((c := sphere_colours(ring)) <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    brightness = (linear @ luminance) ** (1 / 3)
    assert np.ptp(brightness) < 0.12 * brightness.mean()
    up, down = sphere_colours(np.array([[0, 0, 1.0], [0, 0, -1.0]]))
    assert up.min() > 0.9 and down.max() < 0.3


@pytest.mark.parametrize("lattice", [Lattice.triangular(6, 4), Lattice.kagome(3, 4)], ids=lambda lattice: lattice.name)
def test_chirality_fills_the_window_with_the_lattices_triangles(lattice):
    chirality = scalar_chirality(sdgnn.spins.random(lattice, seed=2), lattice)[0]
    figure = rendered(plots.chirality_maps({"$t = 0$": chirality}, lattice))
    (drawn,) = (c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    corners = np.array([path.vertices[:3] for path in drawn.get_paths()])
    assert sorted(drawn.get_array()) == pytest.approx(sorted(chirality.numpy()))
    a, b, c = corners.transpose(1, 0, 2)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert area.sum() == pytest.approx(np.prod(window(lattice)))
    members = lattice.find(corners.reshape(-1, 2)).reshape(-1, 3)
    value = {frozenset(t): chi for t, chi in zip(lattice.triangles.tolist(), chirality.tolist(), strict=True)}
    assert [value[frozenset(m)] for m in members.tolist()] == pytest.approx(drawn.get_array().tolist())
    assert drawn.get_clim() == pytest.approx((-4 / (3 * math.sqrt(3)), 4 / (3 * math.sqrt(3))))


def test_structure_factor_is_drawn_in_the_brillouin_zone(tetrahedral):
    lattice = Lattice.triangular(12, 12)
    factor = structure_factor(tetrahedral(lattice), lattice)[0]
    figure = rendered(plots.structure_factor_maps({"tetrahedral": factor}, lattice))
    axes = figure.axes[0]
    corners = artist(axes, "zone").get_xy()[:-1]
    assert len(corners) == 6 and np.allclose(np.linalg.norm(corners, axis=1), 4 * math.pi / 3)
    assert {"K", "M"} <= {t.get_text() for t in axes.texts}
    assert figure.axes[1].get_ylabel() == "$S(q)$"
    image = axes.images[0]
    left, right, bottom, top = image.get_extent()
    data = image.get_array()
    for q in ((0.98 * math.pi, 0.98 * math.pi / math.sqrt(3)), (0.0, -0.98 * 2 * math.pi / math.sqrt(3))):
        column = int((q[0] - left) / (right - left) * data.shape[1])
        row = int((q[1] - bottom) / (top - bottom) * data.shape[0])
        assert data[row, column] == pytest.approx(48)
    middle = data[data.shape[0] // 2, data.shape[1] // 2]
    assert middle < 0.1
    with pytest.raises(UserError, match="do not fit"):
        plots.structure_factor_maps({"wrong": factor[:5]}, lattice)


def test_kagome_shows_the_first_zone_inside_the_larger_one():
    lattice = Lattice.kagome(6, 6)
    factor = structure_factor(sdgnn.spins.random(lattice), lattice, zones=2)[0]
    axes = rendered(plots.structure_factor_maps({"random": factor}, lattice, zones=2)).axes[0]
    outer, inner = (artist(axes, gid).get_xy() for gid in ("zone", "first zone"))
    assert np.abs(outer).max() == pytest.approx(2 * np.abs(inner).max())


def test_a_spectrum_is_drawn_along_its_path():
    lattice = Lattice.square(4, 4)
    q, along = wave_vector_path(lattice, np.array([[0, 0], [2, 0]]) @ lattice.reciprocal)
    found = DynamicalStructureFactor(lattice, q, dt=0.5, segment=16)
    for k in range(16):
        found.add(sdgnn.spins.random(lattice, seed=k))
    figure = rendered(plots.spectrum_map(found, along, {r"$\Gamma$": 0.0, "X": along[-1]}, {"line": along}))
    axes = figure.axes[0]
    drawn = np.asarray(axes.collections[0].get_array()).reshape(8, 3)
    assert np.allclose(drawn, np.maximum(found.mean.numpy()[:, 8:].T, drawn.max() / 1000))
    assert axes.lines[0].get_ydata().tolist() == along.tolist() and axes.get_xticks().tolist() == [0.0, along[-1]]
    with pytest.raises(UserError, match="one for each"):
        plots.spectrum_map(found, along[:2])


def test_domain_growth_shows_points_errors_and_laws():
    t = np.array([0.0, 1.0, 10.0, 100.0])
    lengths = torch.tensor([[1.0, 2.0, 6.0, 20.0], [1.0, 3.0, 8.0, 22.0], [1.0, 2.5, 7.0, 27.0]], dtype=torch.float64)
    mean, error = (v.numpy() for v in mean_and_error(lengths))
    figure = rendered(plots.domain_growth({"$kT = 0.01$": (t, mean, error)}, laws=(0.5, 1.0), limit=32))
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    line, _, (bars,) = axes.containers[0].lines
    assert line.get_xdata().tolist() == [1, 10, 100] and line.get_ydata() == pytest.approx([2.5, 7.0, 23.0])
    half = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    assert half == pytest.approx(error[1:])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"$t^{1/2}$", "$t^{1}$", "$kT = 0.01$"} == set(labels)
    guides = [line for line in axes.lines if line.get_label().startswith("$t")]
    for guide, exponent in zip(guides, (0.5, 1.0), strict=True):
        x, y = guide.get_data()
        assert np.diff(np.log(y))[0] == pytest.approx(exponent * np.diff(np.log(x))[0])
    assert artist(axes, "limit") is not None
    with pytest.raises(UserError, match="at least one point"):
        plots.domain_growth({"none": (t, np.full(4, math.inf), t)})


@pytest.mark.parametrize(
    ("length", "error", "guided"),
    [
        (lambda t: t**0.5, 0.1, True),
        (lambda t: 3 + 0 * t, 0.1, False),  # nothing grows
        (lambda t: 8 - t**0.5, 0.1, False),  # what shrinks
        (lambda t: np.minimum(t**0.5, 3), 0.1, False),  # what has stopped
        (lambda t: t**0.05, 0.001, False),  # slower than any law that is drawn
        (lambda t: t**0.5, 3.0, False),  # within its errors
        (lambda t: t**0.5, math.nan, True),  # a single replica
    ],
)
def test_no_law_is_drawn_through_what_does_not_grow(length, error, guided):
    t = np.linspace(1.0, 40.0, 40)
    axes = plots.domain_growth({"L": (t, length(t), np.full(40, error))}).axes[0]
    assert bool(axes.findobj(lambda a: a.get_gid() == "law")) == guided


def test_time_series_has_bands_of_one_error():
    t = np.arange(5.0)
    axes = rendered(plots.time_series({"energy": (t, -t, 0.1 + 0 * t)}, "energy per site ($t$)")).axes[0]
    assert axes.lines[0].get_ydata().tolist() == (-t).tolist()
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(0.1) and band[:, 1].min() == pytest.approx(-4.1)
    assert axes.get_ylabel() == "energy per site ($t$)" and "time" in axes.get_xlabel()


def test_maps_need_a_plane():
    chain = Lattice.chain(6)
    with pytest.raises(UserError, match="two-dimensional"):
        plots.spin_maps({"chain": sdgnn.spins.random(chain)[0]}, chain)
    square = Lattice.square(4, 4)
    with pytest.raises(UserError, match="panels of shape"):
        plots.chirality_maps({"few": np.zeros(3)}, square)


@pytest.mark.parametrize(
    ("lattice", "names"),
    [
        (Lattice.triangular(6, 6), {"order", "energy", *MAPS, "domain_growth", "domain_growth_moment"}),
        (Lattice.chain(8), {"order", "energy"}),
    ],
    ids=["triangular", "chain"],
)
def test_the_figures_of_a_run(lattice, names):
    spins = sdgnn.spins.random(lattice, replicas=2, seed=0)
    chosen = [observers.observer("spins", lattice, 2), observers.observer("energy", lattice, 1)]
    field = Heisenberg(lattice, couplings=[1.0])
    trajectory = simulate(field, spins, Heun(dt=0.1, damping=0.5), 12, observers=chosen).trajectory
    figures = plots.trajectory_figures(trajectory, analyze(trajectory, lattice), lattice)
    assert set(figures) == names
    assert figures["energy"].axes[0].lines[0].get_ydata()[0] == pytest.approx(
        field(spins).energy.mean().item() / lattice.n_sites
    )
    if "spins" in names:
        titles = [a.get_title() for a in figures["spins"].axes if a.get_title()]
        assert titles[0] == r"time 0 $\hbar/t$" and titles[-1] == r"time 1.2 $\hbar/t$" and len(titles) == 4


def test_snapshots_are_first_last_and_spread():
    assert snapshots(3).tolist() == [0, 1, 2]
    assert snapshots(101).tolist() == [0, 5, 22, 100]
    assert all(len(snapshots(n)) <= 4 and snapshots(n)[-1] == n - 1 for n in range(1, 300))


def test_markers_are_spread_on_a_logarithmic_axis():
    t = np.arange(1.0, 1001.0)
    chosen = spread(t)
    assert chosen[-1] == 999 and len(chosen) < 41
    assert (np.diff(np.log(t[chosen])) > np.log(1000) / 41).all()
    assert spread(np.array([1.0, 10.0, 100.0])) == [0, 1, 2] and spread(np.array([3.0])) == [0]


def test_error_by_cost_has_a_marker_for_each_method_and_a_line_for_the_reference():
    rows = [
        {"lattice": [n, n], "sites": n * n, "method": method, "cpu_seconds": cost, "torque_rmse": error}
        for n in (4, 6)
        for method, cost, error in (("a", 2.0, 0.1), ("a", 1.0, 0.3), ("b", 0.5, 0.2))
    ]
    rows += [
        {"lattice": [n, n], "sites": n * n, "method": "exact", "cpu_seconds": 3.0, "reference": True} for n in (4, 6)
    ]
    figure = rendered(error_by_cost(rows))
    assert [panel.get_title() for panel in figure.axes] == ["4 x 4", "6 x 6"]
    for panel in figure.axes:
        assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
        first, second = artist(panel, "a"), artist(panel, "b")
        assert (list(first.get_xdata()), list(first.get_ydata())) == ([1.0, 2.0], [0.3, 0.1]), "in order of cost"
        assert first.get_marker() != second.get_marker() and first.get_color() != second.get_color()
        assert set(artist(panel, "reference").get_xdata()) == {3.0}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "exact (reference)"]
    with pytest.raises(UserError, match="no errors"):
        error_by_cost(rows[-2:])


def test_error_against_cost_has_a_point_for_each_field_and_a_line_for_the_exact_one():
    fields = {"exact": (5000.0, 0.0), "walk": (20.0, 1e-3), "Heisenberg": (1.0, 2e-2)}
    lines = {line.get_gid(): line for line in rendered(error_against_cost(fields)).axes[0].lines}
    assert lines["walk"].get_xydata().tolist() == [[20.0, 1e-3]]
    assert lines["Heisenberg"].get_xydata().tolist() == [[1.0, 2e-2]]
    assert lines["exact"].get_xdata() == [5000.0, 5000.0]
    with pytest.raises(UserError, match="no errors to draw"):
        error_against_cost({"exact": (5000.0, 0.0)})
