"""Which packages are parts of the library: this one, and those that say that they are written on top of it, as `nn` is.

    __ag_package__ = True    # in the `__init__.py` of the package, above its imports

Messages then name lines of the user's, not of the package; its rules are trusted to return what rules return; and what
a compiled function rests on in its objects they say themselves, by a method `__ag_state__`, so that nobody reads the
package's code. Imports nothing of ours.
"""

from __future__ import annotations

import sys
from typing import Any

OWN = __name__.partition(".")[0]
MARK = "__ag_package__"


def is_part(module: Any) -> bool:
    """Say whether a module, by its name, belongs to the library."""
    top = str(module).partition(".")[0]
    return top == OWN or getattr(sys.modules.get(top), MARK, False) is True


def is_of_part(thing: Any) -> bool:
    """Say whether a function or a class belongs to the library."""
    return is_part(getattr(thing, "__module__", None))


def is_inside(frame: Any) -> bool:
    """Say whether a frame belongs to the library or to NumPy, rather than to the user."""
    name = frame.f_globals.get("__name__")
    return is_part(name) or str(name).partition(".")[0] == "numpy"
