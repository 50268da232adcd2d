"""The rules, one file a family, in plain NumPy: nothing here knows Tensors, nodes or the tape."""

from . import elementwise, fourier, index, joining, linalg, norms, products, reduce, shape, spectral
from .methods import ufunc_method

__all__ = [
    "elementwise",
    "fourier",
    "index",
    "joining",
    "linalg",
    "norms",
    "products",
    "reduce",
    "shape",
    "spectral",
    "ufunc_method",
]
