"""Growth of domains in whole trajectories: tetrahedral spins on Ising quenches, whose law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import xarray
from helpers.quenches import gaussian_field, glauber_plane

import sdgnn
from sdgnn import Lattice, analysis
from sdgnn.analysis import plots
from sdgnn.analysis.domains.coarsening import DOMAIN_MAPS, ROUTES, coarsening
from sdgnn.analysis.plots.coarsening import coarsening_figures
from sdgnn.common.errors import UserError
from sdgnn.common.rounding import with_error

TIMES = [0, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64]


def recorded(states, times, dims=("site",), name="chirality_map"):
    return xarray.Dataset({name: (("time", "replica", *dims), torch.stack(states).numpy())}, coords={"time": times})


@pytest.fixture(scope="module")
def quench():
    """Signs of an Ising quench as a recorded chirality map, and what is found."""
    states = [s.double() for s in glauber_plane(160, 4, TIMES)]
    trajectory = recorded(states, np.array(TIMES, dtype=np.float64))
    return coarsening(trajectory, Lattice.square(160, 160), window=(6, 64))


def test_every_route_finds_the_law(quench):
    for route in ROUTES:
        row = quench.sel(route=route)
        # early corrections of 0.03, and the scatter of 4 replicas, up to 0.04 by the noisiest routes
        assert float(row["exponent"]) == pytest.approx(0.5, abs=0.15) and 0 < float(row["exponent_error"]) < 0.08
        assert not row["exponent_drifts"]
        assert np.isfinite(row["local_exponent"]).sum() >= 4
    assert not quench.attrs["routes_disagree"] and 0 < quench.attrs["exponent_spread"] < 0.15
    assert quench.attrs["collapse_spread"] < 0.03
    assert quench["collapsed"].values[[0, -1]].tolist() == [6.0, 64.0]
    late = quench.sel(time=64)
    assert float(late["porod_exponent"]) == pytest.approx(3, abs=0.4)  # L = 8 leaves half a decade for the tail
    assert late["orientation"].mean("angle").values == pytest.approx(np.ones(4))
    assert (quench["frozen"][0] == 1).all() and (np.diff(quench["frozen"], axis=0) <= 0).all()
    assert quench["later"].values.tolist() == TIMES[3:]


def test_thermal_flips_make_routes_disagree():
    """At kT = 1.2 growth is t^(1/2), but flipped spins count as walls and clusters, whose lengths saturate: that of
    clusters is more than 5 of its errors off 1/2, and the result says in several ways that it is that of no law."""
    times = [2, 3, 4, 6, 8, 11, 16, 23, 32]
    trajectory = recorded([s.double() for s in glauber_plane(160, 4, times, kT=1.2)], np.array(times, dtype=np.float64))
    found = coarsening(trajectory, Lattice.square(160, 160))
    clusters, walls = (found.sel(route=route) for route in ("clusters", "walls"))
    assert abs(float(clusters["exponent"]) - 0.5) > 5 * float(clusters["exponent_error"])
    assert float(walls["exponent"]) < 0.47 and clusters["exponent_drifts"]
    assert found.attrs["routes_disagree"] and found.attrs["exponent_spread"] > 0.12
    assert np.isnan(clusters["offset_exponent"]) and np.isnan(clusters["offset_exponent_error"])
    legend = coarsening_figures(found)["lengths"].legends[0]
    told = legend.get_title().get_text()
    apart = with_error(found.attrs["exponent_spread"], found.attrs["exponent_spread_error"])
    assert told.startswith("no single law") and told.endswith(f"differs by {apart}")
    labels = [text.get_text() for text in legend.get_texts()]
    printed = [label for label in labels if "$n$" in label]
    assert len(printed) == 4 and all(" ± " in label for label in printed)
    exponent = with_error(float(clusters["exponent"]), float(clusters["exponent_error"]))
    assert f"clusters: $n$ = {exponent}, drifting" in labels


def test_curves_are_those_of_the_single_functions(quench):
    from sdgnn.analysis import length_from_walls, radial_correlation, site_graph

    (state,) = (s for k, s in zip(TIMES, glauber_plane(160, 4, TIMES)) if k == 32)
    lattice = Lattice.square(160, 160)
    now = quench.sel(time=32)
    assert now["length"].sel(route="walls").values == pytest.approx(
        length_from_walls(state.long(), site_graph(lattice))
    )
    distance, values = radial_correlation(state.double(), lattice)
    assert now["correlation"].values == pytest.approx(values.numpy()) and now["distance"].values == pytest.approx(
        distance
    )
    assert now["phase_fraction"].values == pytest.approx((state > 0).double().mean(1))


def test_figures(quench):
    figures = coarsening_figures(quench)
    assert set(figures) == {"lengths", "local_exponent", "collapse", "porod", "walls", "memory", "mobility"}
    moved = figures["mobility"].axes[0].lines[0]
    assert moved.get_ydata() == pytest.approx(quench["displacement"].mean("replica").values)
    labels = [text.get_text() for text in figures["lengths"].legends[0].get_texts()]
    exponent, error = (float(quench[name].sel(route="walls")) for name in ("exponent", "exponent_error"))
    assert any(label.startswith(f"walls: $n$ = {with_error(exponent, error)}") for label in labels)
    laws = [line.get_ydata()[0] for line in figures["local_exponent"].axes[0].lines if line.get_gid() == "law"]
    assert laws == pytest.approx([1 / 3, 1 / 2, 1])
    drawn = figures["collapse"].axes[0].containers
    assert [c.lines[0].get_ydata().tolist() for c in drawn] == quench["collapse"].values.tolist()
    (guide,) = (line for line in figures["porod"].axes[0].lines if line.get_gid() == "guide")
    x, y = guide.get_data()
    assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(-3 * np.ones(len(x) - 1))
    assert figures["memory"].axes[0].lines[0].get_xdata()[0] == 1


def test_cluster_sizes_count_clusters_per_area():
    areas = [torch.tensor([9.0, 4.0]), torch.tensor([4.0])]
    axes = plots.cluster_sizes({"t": areas}, total=100.0).axes[0]
    x, y = axes.lines[0].get_data()
    assert x.tolist() == [4.0, 4.0, 9.0] and y == pytest.approx([3 / 200, 2 / 200, 1 / 200])


def test_chirality_domains_from_spins(tetrahedral):
    """Tetrahedral spins reversed on a pattern: the domains found are those of the pattern."""
    lattice = Lattice.triangular(64, 64)
    pattern = gaussian_field(lattice, 6.0, 3).sign()
    spins = tetrahedral(lattice) * pattern[..., None]
    trajectory = recorded([spins, spins], [0.0, 1.0], ("site", "component"), "spins")
    found = coarsening(trajectory, lattice)
    agree = DOMAIN_MAPS["chirality"].function(spins, lattice).sign() * pattern
    assert abs(float(agree.mean())) > 0.85  # all but sites at walls
    assert found["length"].sel(route="walls").values == pytest.approx(12 * math.pi / 4, rel=0.2)
    assert np.isnan(found["exponent"]).all() and math.isnan(found.attrs["collapse_quality"])
    assert set(coarsening_figures(found)) == {"lengths", "porod", "walls"}
    assert (found["frozen"] == 1).all()


@pytest.mark.parametrize(("map", "within"), [("puddles", (7, 8.2)), ("regions", (8.2, 9.3))])
def test_ferromagnetic_disc(rotation, map, within):
    """A ferromagnetic disc in Neel order: its area, without its rim or with neighbours outside, and the length."""
    lattice = Lattice.square(40, 40)
    neel = sdgnn.spins.neel(lattice)
    apart = np.linalg.norm(lattice.positions - 20, axis=1)
    spins = torch.where(torch.from_numpy(apart < 8.2)[None, :, None], torch.tensor([0.0, 0.0, 1.0]).double(), neel)
    spins = spins @ rotation.T
    trajectory = recorded([spins], [1.0], ("site", "component"), "spins")
    found = coarsening(trajectory, lattice, map=map)
    inside = [(apart < radius).sum() / 1600 for radius in within]
    assert inside[0] <= found["phase_fraction"].item() <= inside[1]
    assert found["wrapping_fraction"].item() == pytest.approx(1 - found["phase_fraction"].item())
    assert found["length"].sel(route="clusters").item() == pytest.approx(40 / math.sqrt(2))


def test_stripes(rotation):
    """Columns with stripes along x on one half of the cell and along y on the other: two walls across the cell."""
    lattice = Lattice.square(24, 24)
    x, y = lattice.positions.round().astype(int).T
    sign = torch.from_numpy(1 - 2 * (np.where(x < 12, y, x) % 2)).double()
    spins = (sign[:, None] * torch.tensor([0.0, 0.0, 1.0]).double() @ rotation.T)[None]
    found = coarsening(recorded([spins], [1.0], ("site", "component"), "spins"), lattice, map="nematic")
    assert found["phase_fraction"].item() == pytest.approx(0.5, abs=1 / 24)
    assert found["length"].sel(route="walls").item() == pytest.approx(24 * 24 / (2 * 24))
    observed = analysis.observer("nematic_map", lattice)
    field = sdgnn.fields.Heisenberg(lattice, [-1.0, -0.6])
    run = sdgnn.simulate(field, spins, sdgnn.DepondtMertens(dt=0.01), 1, observers=[observed])
    maps = run.trajectory["nematic_map"].values
    assert maps[0] == pytest.approx(analysis.local_nematicity(spins, lattice).numpy())


def test_errors():
    lattice = Lattice.square(4, 4)
    spins = recorded([torch.zeros(1, 9, 3)], [0.0], ("site", "component"), "spins")
    with pytest.raises(UserError, match="9 sites"):
        coarsening(spins, lattice)
    with pytest.raises(UserError, match="chirality, nematic, puddles"):
        coarsening(spins, lattice, map="stripes")
    with pytest.raises(UserError, match="record the observer spins or chirality_map"):
        coarsening(xarray.Dataset(), lattice)
    states = [torch.ones(1, 16, dtype=torch.float64)] * 3
    for window, times in (((20, 30), [0.0, 1.0, 2.0]), ((0.1, 0.5), [0.0, 1.0, 2.0]), (None, [0.0, -1.0, -2.0])):
        with pytest.raises(UserError, match=r"without a time > 0.*recorded: "):
            coarsening(recorded(states, times), lattice, window=window)
    with pytest.raises(UserError, match="two-dimensional crystals"):
        coarsening(spins, Lattice.chain(4))
