"""The manual: `sphinx-build -W -b html docs site`, to be opened without a server; its search works offline."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import autograd_core  # noqa: E402

project = "autograd-core"
author = "The autograd-core developers"
copyright = f"{author}, MIT licence"
version = release = autograd_core.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
nitpicky = False
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstring names types in words
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"autograd-core {version}"
html_show_sphinx = False
html_show_search_summary = False  # it fetches pages, which browsers forbid to files
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
