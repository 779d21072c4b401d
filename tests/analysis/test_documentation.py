"""What docs/domain-growth.md shows works as it stands: its code, its command and its table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from sdgnn import analysis, spin_waves
from sdgnn.analysis import plots
from sdgnn.cli.config.commands import AnalyzeConfig, SimulateConfig
from sdgnn.cli.config.fields import FieldConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "domain-growth.md").read_text()


def test_code(run_page: Callable[..., dict]) -> None:
    scope = run_page("domain-growth.md")
    walls = scope["found"]["length"].sel(route="walls").mean("replica").values
    assert (walls[-1] > 1.5 * walls[0]).all()  # domains have grown
    assert Path("lengths.pdf").stat().st_size > 5000
    # the same domains; flips of single triangles, which the mean of a site's six hides, are walls too
    assert 0.3 < float(scope["on_triangles"].mean()) / float(walls[-1]) < 1
    total = [float(areas.sum()) for areas in scope["areas"]]
    share = scope["found"]["phase_fraction"].values[-1]
    assert total == pytest.approx(share * abs(np.linalg.det(scope["lattice"].cell)))


def test_command_and_names() -> None:
    commands = re.findall(r"^    (sdgnn analyze .*)$", PAGE, re.MULTILINE)
    growth, check = (AnalyzeConfig.read(ROOT / words[2], words[3:]) for words in map(shlex.split, commands))
    assert growth.domains.window == (20, 200)
    assert check.against == Path("results/coarsening/check-exact")
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+) \|", PAGE, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)", row)]
    assert len(names) > 10 and all(hasattr(analysis, name) for name in names)
    (drawn,) = re.findall(r"plot in `sdgnn.analysis.plots`: (.*?)\.\n", PAGE, re.DOTALL)
    assert all(hasattr(plots, name) for name in re.findall(r"`(\w+)`", drawn))


def test_spectra_and_orders(run_page: Callable[..., dict]) -> None:
    page = (ROOT / "docs" / "spectra-and-orders.md").read_text()
    scope = run_page("spectra-and-orders.md")
    found = scope["found"]
    peaks = np.abs(found.omega[found.mean.argmax(1).numpy()])
    assert peaks == pytest.approx(scope["spin_waves"], abs=1.5 * (found.omega[1] - found.omega[0]))
    assert float(analysis.bragg_weight(scope["run"].spins, scope["lattice"], scope["peaks"])) > 0.99
    (command,) = re.findall(r"^    (sdgnn analyze .*)$", page, re.MULTILINE)
    words = shlex.split(command)
    assert AnalyzeConfig.read(ROOT / words[2], words[3:]).spectrum.segment == 256


def test_conventions_and_validation_name_tests_that_exist() -> None:
    for page in ("conventions.md", "validation.md"):
        named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs" / page).read_text())
        assert len(named) > 5 and all((ROOT / name).is_file() for name in named)
    files = re.findall(r"(?:configs|benchmarks)/[\w/]+\.(?:yaml|py)", (ROOT / "docs" / "validation.md").read_text())
    assert len(files) > 5 and all((ROOT / name).is_file() for name in files)


def test_spin_waves(run_page: Callable[..., dict], capsys: pytest.CaptureFixture[str]) -> None:
    """The code runs; kagome's flat band is at zero without D and at what is said with it; the configuration builds."""
    scope = run_page("spin-waves.md", {"Lattice.triangular(8, 8)": "Lattice.triangular(4, 4)"})
    assert scope["found"].cell.count == 4 and scope["waves"].omega.shape[1] == 4
    for field, flat in ((scope["exchange_only"], 0), (scope["with_dmi"], 1.104)):
        omega = spin_waves(field, scope["state"], scope["anywhere"]).omega
        assert (np.abs(omega - flat).min(axis=1) < 1e-3).all()
    assert all(Path(name).stat().st_size > 1000 for name in ("bands.pdf", "couplings.jl", "couplings.m"))
    page = (ROOT / "docs" / "spin-waves.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    field = FieldConfig(**yaml.safe_load(text)["field"]).build(scope["kagome"])
    assert len(field.parts) == 3
    config = SimulateConfig.read(ROOT / "configs" / "protocols" / "kagome.yaml", [])
    assert config.field.dmi.kind == "out-of-plane"


def test_transitions_of_temperature(run_page):
    """The code of the page runs as it stands; rates are those of a ladder."""
    scope = run_page("phase-transitions.md")
    assert scope["found"].attrs["sites"] == 64
    rates = analysis.exchanges(scope["run"].trajectory)["rate"].values
    assert ((rates > 0.1) & (rates < 0.9)).all()


def test_phase_diagrams_page(run_page: Callable[..., dict]) -> None:
    """Electrons and holes of a bipartite lattice are alike: energies and mixtures at n and 1 - n."""
    scope = run_page("phase-diagrams.md")
    fillings, mixture = scope["fillings"], scope["mixture"]
    for energy in (*scope["energy"].values(), mixture.energy):
        np.testing.assert_allclose(energy, energy[::-1], atol=1e-9)
    assert scope["apart"][fillings == 0.45].all() and not scope["apart"][fillings == 0.5].any()
    near = int(np.flatnonzero(fillings == 0.45)[0])
    assert mixture.high[near] == 0.5 and mixture.low[near] < 0.45
    assert mixture.low[-1 - near] == 0.5 and mixture.high[-1 - near] == pytest.approx(1 - mixture.low[near])
