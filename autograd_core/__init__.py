"""Reverse- and forward-mode automatic differentiation of ordinary NumPy programs."""

import typing as _typing
from importlib import import_module as _import_module

from .notes import GraphError
from .ops.elementwise import relu
from .ops.reduce import logsumexp
from .rules import primitive, rule
from .state import debug, fresh, no_grad, scope
from .tensor import Tensor
from .transforms import (
    checkpoint,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from .tree import map_tree, register_tree

if _typing.TYPE_CHECKING:
    from .checking import GradientError, gradcheck
    from .diagnosis import explain
    from .pictures import draw
    from .replay import compile

__version__ = "0.1.0"

__all__ = [
    "GradientError",
    "GraphError",
    "Tensor",
    "checkpoint",
    "compile",
    "debug",
    "draw",
    "elementwise_grad",
    "explain",
    "fresh",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "logsumexp",
    "map_tree",
    "no_grad",
    "primitive",
    "register_tree",
    "relu",
    "rule",
    "scope",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]

# Imported when first asked for, so that `import autograd_core` stays nearly as fast as `import numpy`. A name stands
# here, in `__all__`, and in an import for type checkers above.
_LATER: dict[str, str] = {
    "GradientError": "checking",
    "gradcheck": "checking",
    "explain": "diagnosis",
    "compile": "replay",
    "draw": "pictures",
}


def __getattr__(name: str) -> _typing.Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_import_module(f"{__name__}.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
