"""The rules, one file a family, in plain NumPy: nothing here knows Tensors, nodes or the tape."""

from . import elementwise, index, joining, linalg, norms, products, reduce, shape
from .methods import ufunc_method

__all__ = ["elementwise", "index", "joining", "linalg", "norms", "products", "reduce", "shape", "ufunc_method"]
