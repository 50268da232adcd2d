"""Layers: Modules that are a formula each, one file a family."""

from .linear import Linear
from .sequential import MLP, Sequential

__all__ = ["Linear", "MLP", "Sequential"]
