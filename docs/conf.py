"""The documentation site: pages and executed notebooks by MyST, reference from docstrings (make docs)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import sdgnn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from building import docstrings, keys, mathjax, tutorials  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "sdgnn"
author = "the authors of sdgnn"
version = release = sdgnn.__version__
html_title = "sdgnn"
html_show_copyright = False
smartquotes = False  # options of commands keep their two dashes
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "static" / "scorer.js")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "building", "tutorials/results", "tutorials/stored"]

myst_enable_extensions = ["dollarmath", "deflist", "attrs_block"]
myst_heading_anchors = 3
if local := mathjax.local_copy(HERE):
    html_static_path.append(mathjax.STATIC)
    mathjax_path = local

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks" / sdgnn.__version__)
nb_execution_timeout = 3600  # seconds of one cell
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # what compiling says of the machine that builds

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of other packages have their own markup
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Numbers": "Numbers", "ArrayLike": "ArrayLike", "Time": "Time"}
python_use_unqualified_type_names = True
suppress_warnings = ["ref.python"]  # one name in several classes, such as the key kind of many settings


def setup(app: Sphinx) -> None:
    """Hooks of this site."""
    app.connect("autodoc-process-docstring", docstrings.plain)
    app.connect("missing-reference", docstrings.by_public_name)
    app.connect("config-inited", lambda app, config: tutorials.write(HERE, config.nb_execution_mode != "off"))
    app.connect("config-inited", lambda app, config: keys.write(HERE))
    app.connect("source-read", tutorials.to_pages)
