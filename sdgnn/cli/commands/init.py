"""Writes an example's configurations into the working folder and says which commands take them."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from sdgnn.cli.commands.console import say
from sdgnn.cli.config.examples import EXAMPLES, WORKING, source
from sdgnn.cli.config.index import COMMANDS
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path, writing
from sdgnn.common.names import did_you_mean

COMMAND = re.compile(r"^#     (sdgnn (\D*?) \S+\.yaml.*)$", re.MULTILINE)
"""A command at the head of a configuration: the whole, and its name."""


def list_examples() -> None:
    """Names of the examples on standard output, each with what it shows."""
    width = max(map(len, EXAMPLES))
    for name, text in EXAMPLES.items():
        print(f"{name:{width}}  {text}")
    say(f"`sdgnn init NAME` writes one into {WORKING}/ of the folder you are in")


def write_example(name: str) -> Path:
    """Write an example into ``configs/`` of the working folder, whole or not at all, and return what was written.

    Its path is the last line on standard output; the commands that take its files go before. Raises UserError on
    names of no example, where something of that name is there already, and where nothing can be written.
    """
    if name not in EXAMPLES:
        raise UserError(f"example {name!r}", allowed=", ".join(EXAMPLES), fix=did_you_mean(name, EXAMPLES))
    given = source(name)
    target = WORKING / given.name
    if target.exists() or target.is_symlink():
        raise UserError(
            f"{target} is here already, and is left as it is", fix="rename or remove it, or start in another folder"
        )
    if given.is_dir():
        _copy_folder(given, target)
    else:
        with atomic_path(target) as temporary:
            temporary.write_text(given.read_text(encoding="utf-8"), encoding="utf-8")
    say(f"{name}: {EXAMPLES[name]}; for its files there are")
    for command in commands(given):
        say(f"  {command}")
    print(target)
    return target


def commands(example: Path) -> list[str]:
    """The commands at the heads of an example's files, in the order of the pipeline."""
    files = sorted(example.rglob("*.yaml")) if example.is_dir() else [example]
    found = [match for file in files for match in COMMAND.findall(file.read_text(encoding="utf-8"))]
    order = list(COMMANDS)
    return list(dict.fromkeys(command for command, _ in sorted(found, key=lambda each: order.index(each[1]))))


def _copy_folder(given: Path, target: Path) -> None:
    """A copy under a temporary name, which is then renamed."""
    with writing(target, "free space or choose another folder"):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        try:
            whole = shutil.copytree(given, temporary / target.name, ignore=shutil.ignore_patterns("__pycache__"))
            whole.rename(target)
        finally:
            shutil.rmtree(temporary)
