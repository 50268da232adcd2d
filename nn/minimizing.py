"""A bridge to scipy.optimize: its methods, our gradients and Hessian products, on trees of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_core as ag

from .module import Module

WITHOUT_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
WITH_PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
WITH_HESSIAN = {"dogleg", "trust-exact"}


def minimize(f: Callable[[Any], Any], x0: Any, method: Any = "L-BFGS-B", **options: Any) -> Any:
    """Minimise a scalar function of arrays by a method of `scipy.optimize.minimize`.

    Parameters
    ----------
    f : callable
        Takes what `x0` looks like, of NumPy's operations; returns a real number.
    x0 : array, or nested dict, list or tuple of arrays; or Module
        Where to start; real. Computed in float64, handed back in the dtypes given. Of a Module the parameters are
        varied; it stays as it is, and the result is another one, ready to use and to train.
    method : str or callable
        Gradients are given to the methods that take them, Hessian products to Newton-CG, trust-ncg, trust-krylov and
        trust-constr, Hessians to dogleg and trust-exact.
    **options
        Passed on: tol, bounds, constraints, callback, options; in terms of the flat vector.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Its `x` looks like `x0`.

    Notes
    -----
    ::

        found = nn.minimize(lambda p: (p["a"] - 1) ** 2 + np.sum(p["b"] ** 2), {"a": 0.0, "b": np.ones(2)})
        found.x["a"]                # 1, to about six digits
    """
    try:
        from scipy import optimize
    except ImportError as e:
        raise ImportError("nn.minimize needs scipy: pip install 'autograd-core[scipy]'") from e
    start, grow, dress = _flat(x0)
    kind = method.lower() if isinstance(method, str) else ""
    slope, product = ag.value_and_grad(f), ag.hvp(f)

    def value(v: Any) -> Any:
        with ag.no_grad():
            y = f(grow(v))
            return float(y.data if isinstance(y, ag.Tensor) else y)

    def value_and_slope(v: Any) -> Any:
        y, g = slope(grow(v))
        return float(y), _ravel(g)

    def of_vector(v: Any) -> Any:
        return f(grow(v))

    def along(v: Any, u: Any) -> Any:
        return _ravel(product(grow(v), grow(np.reshape(u, -1))))

    if kind in WITHOUT_GRADIENT:
        found = optimize.minimize(value, start, method=method, **options)
    else:
        if kind in WITH_PRODUCTS:
            options = {"hessp": along, **options}
        elif kind in WITH_HESSIAN:
            options = {"hess": ag.hessian(of_vector), **options}
        found = optimize.minimize(value_and_slope, start, method=method, jac=True, **options)
    found.x = dress(found.x)
    if isinstance(x0, Module):
        found.x = ag.map_tree(ag.Tensor, found.x)
    return found


def _flat(tree: Any) -> tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]:
    """Return a tree's numbers on one axis, what puts such an axis into its shapes, and what also into its dtypes."""
    plain = ag.map_tree(lambda x: np.asarray(x.data if isinstance(x, ag.Tensor) else x), tree)
    leaves: list[Any] = []
    ag.map_tree(leaves.append, plain)
    for x in leaves:
        if x.dtype.kind not in "biuf":
            raise TypeError(
                f"minimize needs real numbers, x0 has {x.dtype} of shape {x.shape}: give real and imaginary parts apart"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"x0 has numbers that are not finite, in the array of shape {x.shape}")
    if not sum(x.size for x in leaves):
        raise ValueError("x0 has no numbers at all")
    start, dress = ag.flatten(plain)
    _, grow = ag.flatten(ag.map_tree(lambda x: x.astype(float), plain))
    return start.astype(float), grow, dress


def _ravel(tree: Any) -> Any:
    return ag.flatten(tree)[0].astype(float, copy=False)
