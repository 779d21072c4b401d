"""The command simulate: memory, schemes, protocols, and analyses of its runs; interrupted runs go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xarray
from helpers.configurations import sdgnn

from sdgnn.analysis import order_weights
from sdgnn.dynamics import lattice_of, open_trajectory


def test_a_run_that_was_moved_goes_on_by_its_own_configuration(folder: Path) -> None:
    assert sdgnn("simulate", "quench.yaml", "steps=40").exit_code == 0
    (folder / "quench").rename(folder / "moved")
    result = sdgnn("simulate", "moved/config.yaml", "steps=60", "--resume")
    assert result.exit_code == 0, result.output
    assert not (folder / "quench").exists()
    assert sdgnn("simulate", "quench.yaml", "output=whole").exit_code == 0
    assert open_trajectory(folder / "moved").identical(open_trajectory(folder / "whole"))


def test_simulate_says_what_it_will_take_and_refuses_what_cannot_fit(folder: Path) -> None:
    refused = sdgnn("simulate", "quench.yaml", "memory=0.1")
    assert refused.exit_code == 2
    assert "memory = 0.1 for 2 replica(s) of 36 sites" in refused.stderr
    assert not (folder / "quench").exists()
    result = sdgnn("simulate", "quench.yaml", "memory=4")
    assert result.exit_code == 0
    assert "expected: " in result.stderr and "for 60 steps" in result.stderr


def test_simulate_and_analyze(folder: Path) -> None:
    result = sdgnn("simulate", "quench.yaml")
    assert result.exit_code == 0, result.output
    trajectory = open_trajectory(folder / "quench")
    assert trajectory["chirality"].shape == (7, 2)
    assert sdgnn("analyze", "nothing.yaml").exit_code == 2
    (folder / "analyze.yaml").write_text("trajectory: quench\noutput: analysis\norder: [[0.5, 0.0]]\n")
    result = sdgnn("analyze", "analyze.yaml")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "analysis/analysis.json").read_text())
    assert found["chirality"]["mean"] == pytest.approx(trajectory["chirality"].mean("replica").values.tolist())
    assert "spin_domain_length" in found
    last = order_weights(trajectory["spins"][-1].values, lattice_of(trajectory))
    assert found["orders"]["stripe"]["mean"] == pytest.approx(float(last["stripe"].mean()))
    result = sdgnn("analyze", "analyze.yaml", "domains={window: [0.05, 10]}", "output=c")
    assert result.exit_code == 0, result.output
    growth = json.loads((folder / "c/analysis.json").read_text())["growth"]
    assert set(growth) == {"correlation", "moment", "walls", "clusters", "routes", "collapse", "map"}
    with xarray.open_dataset(folder / "c/domains.nc", engine="scipy") as domains:
        assert domains["exponent"].sel(route="walls").item() == pytest.approx(growth["walls"]["exponent"])
    assert "Growth of domains" in (folder / "c/report.html").read_text()
    assert sdgnn("simulate", "quench.yaml", "observe={spins: 5}", "output=often").exit_code == 0
    keys = ["trajectory=often", "spectrum={path: [[0, 0], [0.5, 0]], segment: 8}", "output=e"]
    result = sdgnn("analyze", "analyze.yaml", *keys)
    assert result.exit_code == 0, result.output
    with xarray.open_dataset(folder / "e/spectrum.nc", engine="scipy") as spectrum:
        assert spectrum["S"].shape == (2, 4, 8, 3) and spectrum.attrs["segments"] == 2
    assert "Dynamics" in (folder / "e/report.html").read_text()
    electrons = "electrons={kT: 0.2, filling: 0.25, hamiltonian: {exchange: 3.0}, every: 2}"
    assert sdgnn("simulate", "quench.yaml", "seed=9", "output=other").exit_code == 0
    result = sdgnn("analyze", "analyze.yaml", electrons, "against=other", "output=f")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "f/analysis.json").read_text())
    with xarray.open_dataset(folder / "f/density.nc", engine="scipy") as density:
        assert density["density"].shape == (2, 2, 36)
        assert "heisenberg" in density.attrs["run"] and "commit" in density.attrs["provenance"]
        spread = density["density_spread"].mean("replica").values
    assert found["electrons"]["density_spread"]["mean"] == pytest.approx(spread.tolist())
    with xarray.open_dataset(folder / "f/agreement.nc", engine="scipy") as together:
        assert found["agreement"]["energy"]["rms"] == pytest.approx(together.attrs["energy_rms"])
        assert "energy" in together.attrs["quantities"].split()
    page = (folder / "f/report.html").read_text()
    assert "Electrons" in page and "quench against other" in page
    result = sdgnn("analyze", "analyze.yaml", "against=nowhere", "output=g")
    assert result.exit_code == 2 and "no trajectory in nowhere" in result.stderr
    result = sdgnn("analyze", "analyze.yaml", "domains={window: [10, 1]}", "output=d")
    assert result.exit_code == 2 and "0 < first < last" in result.stderr
    result = sdgnn("analyze", "analyze.yaml", "trajectory=elsewhere", "output=b")
    assert result.exit_code == 2
    assert "no trajectory in elsewhere" in result.stderr


def test_a_resumed_simulation_is_the_uninterrupted_one(folder: Path) -> None:
    assert sdgnn("simulate", "quench.yaml", "output=whole").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", "output=part", "steps=25").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", "output=part", "--resume").exit_code == 0
    whole, part = open_trajectory(folder / "whole"), open_trajectory(folder / "part")
    assert whole.identical(part)


def test_a_too_large_step_is_said_once(folder: Path) -> None:
    """And the run goes on; the step that is used without dt is none where there is damping; without, energy drifts."""
    rough = ["simulate", "quench.yaml", "integrator.kT=0.0", "steps=130"]
    result = sdgnn(*rough, "integrator.damping=0.0", "integrator.dt=0.5", "output=rough")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("warning: dt = 0.5 is too large at step 0") == 1
    assert "suggest_dt" in result.stderr and ".py" not in result.stderr
    assert "warning" not in sdgnn(*rough, "integrator.dt=null", "output=fine").stderr
    result = sdgnn(*rough, "integrator.damping=0.0", "integrator.dt=null", "output=drifting")
    assert result.stderr.count("warning: without damping the energy of a run is conserved") == 1
    assert "scheme implicit-midpoint" in result.stderr


def test_simulate_without_bath_in_adaptive_steps(folder: Path) -> None:
    """With the spins' own temperature observed, which falls while the spins relax."""
    adaptive = ["integrator.scheme=dormand-prince", "integrator.dt=0.5", "observe.spin_temperature=20"]
    result = sdgnn("simulate", "quench.yaml", *adaptive)
    assert result.exit_code == 2 and "allowed: kT = 0" in result.stderr
    result = sdgnn("simulate", "quench.yaml", *adaptive, "integrator.kT=0.0", "integrator.tolerance=1e-4")
    assert result.exit_code == 0, result.output
    measured = open_trajectory(folder / "quench")["spin_temperature"].values
    assert measured.shape == (4, 2) and (measured[-1] < 0.1).all() and (measured[-1] > 0).all()
    result = sdgnn("simulate", "quench.yaml", "integrator.tolerance=1e-4", "output=other")
    assert result.exit_code == 2 and "tolerance of scheme depondt-mertens" in result.stderr


def test_protocols_from_a_configuration(folder: Path) -> None:
    """A quench of the bath and a pulsed field, resumed in the middle, then means in equilibrium."""
    protocol = [
        "integrator.kT={kind: quench, before: 0.5, after: [0.1, 0.2], at: 0.6}", "field.zeeman=[0, 0, 1]",
        "field.zeeman_schedule={kind: pulse, peak: 2, centre: 0.6, width: 0.1}", "observe.bath_temperature=10",
        "observe.external_field=10",
    ]  # fmt: skip
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=whole").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=part", "steps=33").exit_code == 0
    assert sdgnn("simulate", "quench.yaml", *protocol, "output=part", "--resume").exit_code == 0
    whole = open_trajectory(folder / "whole")
    assert whole.identical(open_trajectory(folder / "part"))
    assert whole["bath_temperature"].values[-1].tolist() == [0.1, 0.2]
    assert float(whole["external_field"][3, 0, 2]) == pytest.approx(2.0)
    (folder / "analyze.yaml").write_text("trajectory: whole\noutput: analysis\ndiscard: 0.5\n")
    result = sdgnn("analyze", "analyze.yaml")
    assert result.exit_code == 0, result.output
    assert "its error is a guess" in result.stderr
    found = json.loads((folder / "analysis/analysis.json").read_text())["equilibrium"]
    assert found["energy_mean"] == pytest.approx(whole["energy"][4:].mean("time").values.tolist())
    for words, wrong in (
        ("zeeman_schedule without zeeman", "field.zeeman_schedule={kind: pulse, peak: 2, centre: 0.6, width: 0.1}"),
        ("integrator.kT", "integrator.kT={kind: quench, before: 0.5, aftr: 0.1, at: 1}"),
        ("integrator.damping of scheme monte-carlo", "integrator.scheme=monte-carlo"),
    ):
        result = sdgnn("simulate", "quench.yaml", wrong, "output=none")
        assert result.exit_code == 2 and words in " ".join(result.stderr.split())
    monte_carlo = ["integrator={scheme: monte-carlo, kT: 0.5, overrelaxation: 1}", "output=sampled"]
    assert sdgnn("simulate", "quench.yaml", *monte_carlo).exit_code == 0
    assert open_trajectory(folder / "sampled")["time"].values[-1] == 60
