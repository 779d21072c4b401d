"""The example configurations: those of the repository's ``configs/``, which travel with the package."""

from __future__ import annotations

from pathlib import Path, PurePath

WORKING = Path("configs")
"""Where examples lie in the working folder: so the commands of the help and of the files hold everywhere."""

EXAMPLES = {
    "triangular": "one Hamiltonian: labels, training, errors, quench and analysis, as in the help of each command",
    "demo": "settings of `sdgnn demo`",
    "protocols": "annealing, quenches of several depths and a loop of hysteresis; no labels, no training",
    "transitions": "parallel tempering: a classical ferromagnet of three sizes, chirality in the field of electrons",
    "coarsening": "how tetrahedral order grows after a quench, and the same with exact electrons",
    "arrested": "double exchange with 3 % holes: phase separation that stops, and the same with exact electrons",
    "skyrmions": "a film with spin-orbit coupling in a magnetic field, cooled until its electrons make skyrmions",
    "spin-glass": "amorphous positions with hopping by distance: labels, training, errors, quench",
    "nonequilibrium": "a network for torques that are the slope of no energy",
    "dataset": "exact labels of 120 Hamiltonians on six lattices, with a data card, to cite and to put into an archive",
    "models": "how the shipped models were trained and judged",
    "benchmarks": "models, methods and dynamics side by side; labels of mlst2023 and prl2021 are published elsewhere",
}
"""Names of the examples, each a folder of YAML files or one file, and what they show."""


def folder() -> Path:
    """Where the examples are: in the installed package, or the repository's ``configs/`` where it runs from a clone."""
    package = Path(__file__).parents[2]
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "configs"


def source(name: str) -> Path:
    """The folder, or the one file, of an example."""
    whole = folder() / name
    return whole if whole.is_dir() else whole.with_suffix(".yaml")


def example_with(path: PurePath) -> str | None:
    """The example that holds ``path`` of the working folder, ``configs/demo.yaml`` for instance; None if none does."""
    if path.parts[:1] != WORKING.parts or len(path.parts) < 2 or not (folder() / PurePath(*path.parts[1:])).is_file():
        return None
    return PurePath(path.parts[1]).stem
