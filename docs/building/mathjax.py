"""A copy of MathJax beside the pages, so that equations are set without a connection to the network."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "mathjax@3.2.2"
SCRIPT = "package/es5/tex-svg-full.js"
"""The one file that sets TeX: with all extensions, and with letters as paths of SVG, so that no other is fetched."""
STATIC = "_build/static"
"""The static folder that holds the copy, relative to the sources."""
SECONDS = 120


def local_copy(docs: Path) -> str | None:
    """The script's path below the static folder, fetched by npm where it is not there yet.

    None without npm or without a connection: pages then take MathJax from the address that Sphinx knows.
    """
    script = docs / STATIC / "mathjax" / "tex-svg-full.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None or not _fetch(npm, script):
            print("no copy of MathJax (it takes npm and a connection): equations are set where a reader is online")
            return None
    return "mathjax/tex-svg-full.js"


def _fetch(npm: str, script: Path) -> bool:
    """Whether the script of :data:`PACKAGE` was put in its place."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [npm, "pack", PACKAGE, "--silent"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as packed:
                content = packed.extractfile(SCRIPT)
                assert content is not None
                text = content.read()
        except (subprocess.SubprocessError, OSError, ValueError, KeyError):
            return False
    script.parent.mkdir(parents=True, exist_ok=True)
    unfinished = script.with_suffix(".part")
    unfinished.write_bytes(text)
    unfinished.replace(script)
    return True
