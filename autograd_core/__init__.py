"""Reverse- and forward-mode automatic differentiation of ordinary NumPy programs."""

import typing as _typing
from importlib import import_module as _import_module

import numpy as _numpy

from .changes import all_or_nothing, uninterrupted
from .files import replace_file
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
from .vectors import flatten

if _typing.TYPE_CHECKING:
    from .checking import GradientError, gradcheck
    from .diagnosis import explain
    from .pictures import draw
    from .program import Program, trace
    from .replay import compile

__version__ = "0.1.0"

__all__ = [
    "GradientError",
    "GraphError",
    "Program",
    "Tensor",
    "all_or_nothing",
    "checkpoint",
    "compile",
    "debug",
    "draw",
    "elementwise_grad",
    "explain",
    "flatten",
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
    "replace_file",
    "rule",
    "scope",
    "stop_gradient",
    "trace",
    "uninterrupted",
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
    "Program": "program",
    "trace": "program",
}


_ELSEWHERE = {  # names of other libraries', and what they are called here
    "Variable": "ag.Tensor",
    "array": "ag.Tensor(data), or np.array(data) where no gradient is wanted",
    "backward": "t.backward()",
    "check_grads": "ag.gradcheck",
    "cond": "np.where, or Python's if",
    "elementwise_gradient": "ag.elementwise_grad",
    "enable_grad": "the computation outside of ag.no_grad()",
    "gradient": "ag.grad",
    "holomorphic_grad": "ag.vjp",
    "jacfwd": 'ag.jacobian(f, mode="forward")',
    "jacrev": 'ag.jacobian(f, mode="reverse")',
    "jit": "ag.compile",
    "make_jvp": "ag.jvp",
    "make_jaxpr": "ag.trace",
    "make_vjp": "ag.vjp",
    "nn": "import nn",
    "numpy": "import numpy as np: NumPy's own functions take Tensors",
    "optim": "import nn: nn.SGD, nn.Adam",
    "parameter": "ag.Tensor",
    "value_and_gradient": "ag.value_and_grad",
}


def __getattr__(name: str) -> _typing.Any:
    if name not in _LATER:
        hint = _ELSEWHERE.get(name, "")
        if not hint and name[:1] != "_" and hasattr(_numpy, name):
            hint = f"np.{name}: NumPy's own functions take Tensors"
        hint = f"; write {hint}" if hint else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)
    found = globals()[name] = getattr(_import_module(f"{__name__}.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
