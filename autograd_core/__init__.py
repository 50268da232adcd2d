"""Reverse- and forward-mode automatic differentiation of ordinary NumPy programs."""

from .notes import GraphError
from .ops.elementwise import relu
from .ops.reduce import logsumexp
from .rules import primitive, rule
from .state import debug, no_grad, scope
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

__version__ = "0.1.0"

__all__ = [
    "GraphError",
    "Tensor",
    "checkpoint",
    "debug",
    "elementwise_grad",
    "grad",
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
