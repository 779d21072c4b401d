"""What is installed: few packages, pinned completely, and the same from every place that names them."""

from __future__ import annotations

import re

import pytest
import yaml
from helpers.requirements import PROJECT, PYPROJECT, ROOT, requirements, with_all_they_need
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sdgnn.common.extras import MODULES
from sdgnn.common.version import VERSION

CONDA = {"torch": "pytorch", "vesin": "python-vesin", "matplotlib": "matplotlib-base"}
"""Names on conda-forge, where they differ."""
PINS = {
    canonicalize_name(requirement.name): requirement
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
    for requirement in [Requirement(line)]
}
"""The lines of constraints.txt by name."""


def packages(*extras: str) -> set[str]:
    """All that an installation brings, this package among it."""
    return {PROJECT["name"], *with_all_they_need(requirements(*extras))}


def test_the_base_installation_is_small() -> None:
    """With a torch for processors; one for GPUs brings CUDA's own packages."""
    without_cuda = {name for name in packages() if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert len(without_cuda) < 60, sorted(without_cuda)
    assert len(packages("baselines")) > 60, "the control: what torch-geometric brings"
    assert {"torch", "numpy", "llvmlite"} < without_cuda


def test_numbers_of_packages_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    table = dict(re.findall(r"^\| `sdgnn(?:\[(\w+)\])?` \|.*\| (\d+) \|$", page, re.MULTILINE))
    assert set(table) == {"", "all", *MODULES}
    assert {extra: int(number) for extra, number in table.items()} == {
        extra: len(packages(extra) if extra else packages()) for extra in table
    }


def test_every_package_is_pinned_and_no_other() -> None:
    """What the base, all extras and the tools of development bring, in versions that are asked for."""
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in PINS.values())
    assert set(PINS) == packages("dev") - {PROJECT["name"]}
    for requirement in requirements("dev"):
        (pinned,) = PINS[canonicalize_name(requirement.name)].specifier
        assert pinned.version in requirement.specifier, f"{requirement} and =={pinned.version}"


def test_the_recipe_of_conda_asks_for_the_same() -> None:
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
    text = {"version": VERSION, "python_min": PROJECT["requires-python"].removeprefix(">=")}
    assert recipe["context"] == text

    def rendered(lines: list[str]) -> set[tuple[str, str]]:
        filled = [re.sub(r"\$\{\{ (\w+) \}\}", lambda match: text[match[1]], line) for line in lines]
        return {(name, version) for name, _, version in (line.partition(" ") for line in filled)}

    asked = {(CONDA.get(one.name, one.name), str(one.specifier)) for one in requirements()}
    assert rendered(recipe["requirements"]["run"]) == asked | {("__unix", ""), ("python", PROJECT["requires-python"])}
    build = {(one.name, str(one.specifier)) for one in map(Requirement, PYPROJECT["build-system"]["requires"])}
    assert build < rendered(recipe["requirements"]["host"])
    (entry,) = recipe["build"]["python"]["entry_points"]
    assert dict([entry.split(" = ")]) == PROJECT["scripts"]
    assert recipe["about"]["summary"] == PROJECT["description"] and recipe["about"]["license"] == PROJECT["license"]


def test_the_citation_names_this_software() -> None:
    """The fields that the format asks for, and the same authors, version and licence as the package."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} < set(citation)
    assert citation["type"] == "software" and citation["version"] == VERSION
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert "preferred-citation" not in citation, "tools would show the paper in place of the software"
    (paper,) = citation["references"]
    assert PROJECT["urls"]["Method"] == f"https://doi.org/{paper['doi']}"


@pytest.mark.parametrize("name", ["torch-geometric", "e3nn", "tensorboard"])
def test_what_one_part_needs_is_no_burden_of_all(name: str) -> None:
    assert name not in packages() and name in packages("all")
