"""The notebooks run from top to bottom, with small settings put in after their cell of parameters."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
STORED = repr(str(NOTEBOOKS / "stored"))

SMALL = {
    "01_hamiltonian_to_labels": "size, states, environments, redraws = 4, 4, 1, 2",
    "02_training_and_judging": "size, states, cutoff, moments, epochs, environments, redraws = 4, 10, 2, 9, 1, 1, 2",
    "03_transfer_and_quench": (
        "size, larger, quenched, states, epochs, cutoff, moments, steps = 4, [6], 8, 10, 1, 2, 9, 10"
    ),
    "04_coarsening": f"size, replicas, steps, window, small, compared, stored = 12, 2, 30, (5, 30), 4, 8, {STORED}",
    "05_arrested_phase_separation": f"size, replicas, steps, stored = 8, 2, 30, {STORED}",
    "06_spectra": "size, segment, segments, chiral, chiral_segment = 8, 128, 1, 6, 16",
    "07_train_your_own_model": (
        "size, larger, states, epochs, cutoff, moments, radii, environments, redraws = 4, 6, 10, 1, 2, 9, [2], 1, 2\n"
        "duration = 5"
    ),
    "08_kernel_polynomials": "size, small, moments, vectors, sizes, seeds = 6, 3, [40, 80], [8, 24], [4, 6], 1",
    "09_any_hamiltonian_without_training": "small, larger, dial, asked, steps = 4, 6, [(2, 13), (3, 21)], 0.02, 10",
    "10_a_phase_diagram": (
        "size, points, replicas, duration, steps = 6, [('square', 3.0, 0.25), ('triangular', 3.0, 0.25)], 1, 5, 4\n"
        f"stored = {STORED}"
    ),
    "12_skyrmions_of_electrons": (
        "size, turns, twists, strengths, fields = 6, 2, 2, [0.3], [0.0, 0.012]\n"
        "large, steps, chosen, cells, itinerant = 6, 10, [0.012], 1, [0.0]"
    ),
    "11_my_own_data": "size, states, epochs = 6, {'random': 12, 'noisy': 4}, 1",
}


def test_every_notebook_is_executed() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_notebook(name: str, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    (place,) = [k for k, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(SMALL[name]))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    drawn = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(drawn) >= 2


@pytest.mark.parametrize("name", SMALL)
def test_notebooks_are_stories(name: str) -> None:
    """A title, a question in italics, the time, what was learned, what to check next; stored without outputs."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    first, last = notebook.cells[0].source, notebook.cells[-1].source
    assert first.startswith("# ") and re.search(r"\*[^*]+\?[^*]*\*", first) and "on two cores" in first
    assert "## What was learned" in last and "## What to check next" in last and "TODO" not in last
    assert sum(cell.cell_type == "code" for cell in notebook.cells) <= 12
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
