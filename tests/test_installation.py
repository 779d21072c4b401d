"""Wheel and sdist, built from the files of the repository, run outside of it what the help names."""

from __future__ import annotations

import email
import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from helpers.requirements import PROJECT, ROOT

from sdgnn.common.version import VERSION

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
LEFT_OUT = {".ci", ".gitignore", ".pre-commit-config.yaml"}
"""Files of the repository that a release does without: those of its own tools."""
WHERE = "import sys, sdgnn; from sdgnn.cli.config import examples; print(sdgnn.__file__, examples.folder())"


def command(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def files_of_the_repository() -> list[str]:
    """Those that git knows or would take."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone: which files are of the repository is not known")
    words = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, built from a copy of the repository, and the wheel that is built from what the sdist holds."""
    folder = tmp_path_factory.mktemp("released")
    for name in files_of_the_repository():
        target = folder / "copy" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    command([sys.executable, "-c", BUILD, "build_sdist", str(folder)], folder / "copy")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    command([sys.executable, "-c", BUILD, "build_wheel", str(folder)], folder / f"sdgnn-{VERSION}")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def test_the_sdist_holds_the_repository(released: tuple[Path, Path]) -> None:
    """All of it but the files of its own tools, notebooks and tests among it, in a few megabytes; nothing twice."""
    sdist, _ = released
    with tarfile.open(sdist) as archive:
        names = [Path(*Path(member.name).parts[1:]) for member in archive if member.isfile()]
    made = {name for name in names if name.parts[0] in ("PKG-INFO", "setup.cfg", "sdgnn.egg-info")}
    expected = {Path(name) for name in files_of_the_repository() if Path(name).parts[0] not in LEFT_OUT}
    assert len(names) == len(set(names))
    assert set(names) - made == expected
    assert {Path("LICENSE"), Path("configs/demo.yaml"), Path("notebooks/04_coarsening.ipynb")} < set(names)
    assert sdist.stat().st_size < 8e6
    made_by_the_site = re.findall(r"^(docs/\w+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert made_by_the_site == re.findall(r"^prune (\S+)$", (ROOT / "MANIFEST.in").read_text(), re.MULTILINE)


def test_the_wheel_holds_the_package_and_the_examples(released: tuple[Path, Path]) -> None:
    _, wheel = released
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist()}
    info = f"sdgnn-{VERSION}.dist-info"
    examples = {Path("sdgnn/examples") / path.relative_to(ROOT / "configs") for path in ROOT.glob("configs/**/*.yaml")}
    package = {Path(name) for name in files_of_the_repository() if name.startswith("sdgnn/")}
    assert {name for name in names if name.parts[0] != info} == package | examples
    assert Path(info, "licenses", "LICENSE") in names
    assert wheel.stat().st_size < 2e6


def test_what_the_package_index_shows(released: tuple[Path, Path]) -> None:
    """No link of the readme leads nowhere, and nothing that is known is left out."""
    _, wheel = released
    with zipfile.ZipFile(wheel) as archive:
        shown = email.message_from_bytes(archive.read(f"sdgnn-{VERSION}.dist-info/METADATA"))
    assert (shown["Name"], shown["Version"], shown["License-Expression"]) == ("sdgnn", VERSION, "MIT")
    assert shown["Author"] == PROJECT["authors"][0]["name"] and shown["Summary"] == PROJECT["description"]
    assert shown["Description-Content-Type"] == "text/markdown"
    assert set(shown.get_all("Project-URL")) == {f"{name}, {url}" for name, url in PROJECT["urls"].items()}
    assert "Operating System :: POSIX :: Linux" in shown.get_all("Classifier")
    page = str(shown.get_payload())
    assert "# sdgnn" in page and len(page) > 5000
    assert not [link for link in re.findall(r"\]\(([^)]*)\)", page) if not link.startswith(("https://", "#"))]


def test_links_of_the_readme_start_where_the_repository_is() -> None:
    """Links, links in brackets and pictures, with an address and without; those of the web and of the page stay."""
    absolute_links = runpy.run_path(str(ROOT / "setup.py"))["absolute_links"]
    text = (
        "A\n\n![a map](docs/a.png)\n\n*What it\nshows.*\n\n"
        "([how](docs/how.md#part)), [paper](https://doi.org/1), [below](#below), *[a](b)*"
    )
    assert absolute_links(text, "https://host/sdgnn/") == (
        "A\n\n![a map](https://host/sdgnn/docs/a.png)\n\n*What it\nshows.*\n\n"
        "([how](https://host/sdgnn/docs/how.md#part)), [paper](https://doi.org/1), [below](#below), "
        "*[a](https://host/sdgnn/b)*"
    )
    assert absolute_links(text, None) == (
        "A\n\n\n\n(how [`docs/how.md#part`]), [paper](https://doi.org/1), [below](#below), *a [`b`]*"
    )


def test_the_wheel_runs_outside_the_repository(released: tuple[Path, Path], tmp_path: Path) -> None:
    """Installed beside the packages of this environment; examples are read and run, and nothing is from the clone."""
    _, wheel = released
    installed, folder = tmp_path / "installed", tmp_path / "work"
    folder.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(installed)]
    command([*pip, str(wheel)], tmp_path)

    def sdgnn(*words: str) -> subprocess.CompletedProcess[str]:
        return command([sys.executable, "-m", "sdgnn", *words], folder, PYTHONPATH=str(installed))

    where = command([sys.executable, "-c", WHERE], folder, PYTHONPATH=str(installed)).stdout.split()
    assert where == [str(installed / "sdgnn" / "__init__.py"), str(installed / "sdgnn" / "examples")]
    assert sdgnn("--version").stdout.startswith(f"sdgnn {VERSION}\n")
    assert sdgnn("init").stdout.splitlines()[0].startswith("triangular")
    assert sdgnn("init", "protocols").stdout == "configs/protocols\n"
    small = ["lattice.size=[4,4]", "steps=20", "output=run"]
    sdgnn("simulate", "configs/protocols/hysteresis.yaml", *small)
    assert (folder / "run" / "trajectory.zarr").is_dir()
    ask = [sys.executable, "-m", "sdgnn", "demo", "trainning.epochs=1"]
    refused = subprocess.run(
        ask, cwd=folder, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2 and "did you mean training?" in refused.stderr
    assert (installed / "bin" / "sdgnn").is_file()


SMALL = ["lattice.size=[6,6]", "electrons.twists=[1,1]", "larger.lattice.size=[8,8]", "training.epochs=2",
         "quench.lattice.size=[12,12]", "quench.steps=10", "quench.checkpoint_every=5", "quench.observe.spins=5",
         "quench.observe.structure_factor=5", "protocols.0.states=12", "protocols.1.runs=2",
         "larger.protocols.0.states=1", "output=demo"]  # fmt: skip
"""The demo of few and small states."""


@pytest.mark.slow
def test_the_sdist_installs_and_runs_in_an_empty_environment(released: tuple[Path, Path], tmp_path: Path) -> None:
    """With what pip finds for it alone, in pinned versions: fewer than 60 packages, and a demo with its report."""
    sdist, _ = released
    venv.create(tmp_path / "venv", with_pip=True)
    python, folder = tmp_path / "venv" / "bin" / "python", tmp_path / "work"
    folder.mkdir()
    alone = {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1"}
    pins = ["-c", str(ROOT / "constraints.txt")]
    command([str(python), "-m", "pip", "install", "--quiet", *pins, str(sdist)], folder, **alone)
    listed = command([str(python), "-m", "pip", "list", "--format=freeze"], folder, **alone).stdout.split()
    assert len([line for line in listed if not line.startswith(("pip=", "nvidia-", "cuda-", "triton"))]) < 60
    sdgnn = str(tmp_path / "venv" / "bin" / "sdgnn")
    assert command([sdgnn, "init", "triangular"], folder, **alone).stdout == "configs/triangular\n"
    command([sdgnn, "demo", *SMALL], folder, **alone)
    assert "torque R²" in (folder / "demo" / "report.html").read_text()
    assert not (folder / "demo" / "model" / "tensorboard").exists()
