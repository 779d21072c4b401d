"""What pyproject.toml cannot say: where the example configurations lie, and the readme of the package index."""

import re
import tomllib
from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOT = Path(__file__).parent


def absolute_links(text: str, source: str | None) -> str:
    """The text of a page whose relative links and pictures start at ``source``, the address of the repository's files.

    Without an address the path of the file stands behind the text of the link, and pictures are left out with the
    captions below them.
    """
    relative = r"\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)"
    if source is not None:
        return re.sub(relative, rf"[\1]({source.rstrip('/')}/\2)", text)
    without_pictures = re.sub("!" + relative + r"(\n\n\*[^*]+\*(?=\n))?", "", text)
    return re.sub(relative, r"\1 [`\2`]", without_pictures)


if __name__ == "__main__":
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    setup(
        packages=[*find_namespace_packages(include=["sdgnn*"]), "sdgnn.examples"],
        package_dir={"sdgnn.examples": "configs"},
        long_description=absolute_links((ROOT / "README.md").read_text(encoding="utf-8"), urls.get("Source")),
        long_description_content_type="text/markdown",
    )
