"""The manual: `sphinx-build -W -b html docs site`, to be opened without a server; its search works offline."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from docutils import nodes  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

import autograd_core  # noqa: E402

project = "autograd-core"
author = "The autograd-core developers"
copyright = f"{author}, MIT licence"
version = release = autograd_core.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"  # they are stored with what they print and draw; tests compare it with a fresh run
nitpicky = False
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstring names types in words
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_math_renderer = "mathml"  # as browsers show it: no script, no network
html_theme = "furo"
html_title = f"autograd-core {version}"
html_show_sphinx = False
html_show_search_summary = False  # it fetches pages, which browsers forbid to files
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def formula(translator, node):
    """Write a formula as MathML."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app):
    """Tell Sphinx who writes formulas."""
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))


def course():
    """Copy the notebooks and their map, beside which they lie, to where the manual can hold them."""
    there = Path(__file__).parent / "course"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    names = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        names.append(path.stem)
        text = path.read_text(encoding="utf-8").replace("(README.md)", "(index.md)").replace("(../docs/", "(../")
        (there / path.name).write_text(text, encoding="utf-8")
    index = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    contents = "\n".join(["", "```{toctree}", ":hidden:", *names, "```", ""])
    (there / "index.md").write_text(index + contents, encoding="utf-8")


course()
