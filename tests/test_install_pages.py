"""The pages on installing and on GPUs: their code runs, their commands and files are there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest
import torch
from helpers.configurations import ROOT, sdgnn

from sdgnn.cli import app
from sdgnn.common.extras import MODULES

PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("install.md", "gpu.md")}


def test_code_of_the_page_on_gpus_runs_without_one(run_page: Callable[..., dict]) -> None:
    names = run_page("gpu.md")
    assert names["run"].spins.shape == (2, 144, 3)
    assert names["run"].spins.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", PAGES)
def test_files_and_commands_that_are_named_exist(name: str) -> None:
    page = PAGES[name]
    files = re.findall(r"(?:tests|recipe|configs)/[\w/-]+\.(?:py|yaml)", page)
    files += [f"docs/{link}" for link in re.findall(r"\]\(([\w-]+\.md)\)", page)]
    assert files and all((ROOT / file).exists() for file in files)
    listed = sdgnn("--help").stdout
    for command in re.findall(r"^    sdgnn (\w+)", page, re.MULTILINE):
        assert re.search(rf"^\W*{command} {{2,}}", listed, re.MULTILINE), command
    makefile = (ROOT / "Makefile").read_text()
    assert all(
        re.search(rf"^{target}:", makefile, re.MULTILINE) for target in re.findall(r"^    make (\w+)", page, re.M)
    )


def test_what_the_page_says_of_a_test_for_gpus_is_so() -> None:
    file, name = re.findall(r"`(tests/electrons/\w+\.py)`, `(test_\w+)`", PAGES["gpu.md"])[0]
    assert re.search(rf"skipif\(not torch.cuda.is_available.*\ndef {name}\(", (ROOT / file).read_text())


def test_every_extra_is_explained() -> None:
    for extra in MODULES:
        assert f"`sdgnn[{extra}]`" in PAGES["install.md"]


def test_windows_is_told_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as end:
        app.main()
    assert "WSL 2" in str(end.value.code)
