"""Names that code makes at run time: ``getattr(self, f"w{i}")``, ``vars(x)``, ``globals()["rate"]``."""

from __future__ import annotations

import dis
import types
from typing import Any

ANYTHING = {
    "vars",
    "__dict__",
    "asdict",
    "astuple",
    "dir",
    "getmembers",
    "__getattribute__",
    "attrgetter",
    "eval",
    "exec",
}
GLOBALS = {"globals", "eval", "exec", "vars", "import_module", "modules", "__import__"}


def names_anything(code: types.CodeType) -> bool:
    """Say whether code may read an attribute whose name does not stand in it.

    Examples
    --------
    >>> names_anything((lambda x, k: getattr(x, k)).__code__), names_anything((lambda x: getattr(x, "k", 0)).__code__)
    (True, False)
    """
    if not ANYTHING.isdisjoint(code.co_names):
        return True
    if "getattr" not in code.co_names:
        return False
    waiting = False
    for i in dis.get_instructions(code):
        if i.opname.startswith("LOAD") and i.argval == "getattr" and "CONST" not in i.opname:
            waiting = True
        elif waiting and type(i.argval) is str and i.opname == "LOAD_CONST":
            waiting = False
        elif waiting and (i.opname.startswith(("CALL", "FORMAT", "BUILD"))):
            return True
    return waiting


def names_by_text(code: types.CodeType, held: dict[str, Any]) -> list[str]:
    """Return global names of which code has the text, if it may look for globals so."""
    if GLOBALS.isdisjoint(code.co_names):
        return []
    texts = [k for k in code.co_consts if type(k) is str]
    if not texts or "eval" in code.co_names or "exec" in code.co_names:
        return [name for name in held if name[:2] != "__"]
    return texts
