"""Reverse- and forward-mode automatic differentiation of ordinary NumPy programs."""

from .rules import primitive, rule
from .state import debug, no_grad, scope
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = ["Tensor", "debug", "no_grad", "primitive", "rule", "scope"]
