"""Why is this gradient NaN, infinite, zero or None? `explain` walks the tape that made it, there and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..state import debug
from ..tensor import Tensor
from ..tree import flatten
from .answers import answer
from .case import Case
from .words import Explanation

__all__ = ["Explanation", "explain"]


def explain(subject: Any, *args: Any, wrt: Any = None, **kwargs: Any) -> Explanation:
    """Say why a loss or its gradient is NaN, infinite, zero or None: where it began, and with which numbers.

    Parameters
    ----------
    subject : Tensor or callable
        A loss that has been computed, or a function to call with `args` and `kwargs`, which is run under `ag.debug()`;
        plain arrays of floats among its arguments become Tensors. A result that is no scalar is explained for its sum.
    wrt : Tensor, or container or model of them, optional
        Whose gradient; by default all leaves that the loss was computed from (and the arguments of a function).

    Returns
    -------
    Explanation
        Prints as text. Its fields are `kind`, `where`, `operation`, `index`, `operands`, `line`, `scope`, `name`, and
        `findings`, one for each Tensor. No gradient is changed, nothing is freed.

    Examples
    --------
    >>> import autograd_core as ag
    >>> x = ag.Tensor([4.0, 0.0], name="x")
    >>> ag.explain(np.sum(np.sqrt(x)), wrt=x)
    the gradient of x is inf at [1]: it began in the backward pass of sqrt, entry [1]
      x = 0.0, result 0.0; 1.0 came in, inf went out to x
      sqrt is defined from 0 on, and its slope at 0 is infinite
      try np.where(x > 0, np.sqrt(x), 0.0) or np.sqrt(x + eps)
      compute it inside `with ag.debug():`, or call ag.explain(f, *args), and the line of source is named too
    >>> e = ag.explain(lambda x: np.sum(x * np.log(x)), np.array([1.0, 0.0]))
    >>> e.kind, e.where, e.operation, e.index, e.operands
    ('nan', 'forward', 'log', (1,), {'x': 0.0})
    """
    asked = {} if wrt is None else _named(wrt)
    if isinstance(subject, Tensor) or not callable(subject):
        if args or kwargs:
            raise TypeError("explain(loss) takes no further arguments; explain(f, *args) takes a function first")
        return answer(Case(subject, asked, every=not asked))
    holder = getattr(subject, "__self__", subject)  # a model, or whose method it is
    entered: dict[str, Tensor] = _named(holder) if hasattr(holder, "named_parameters") else {}
    own: set[int] = set()
    names = _parameters(subject, args)
    args = tuple(_enter(name, a, entered, own) for name, a in zip(names, args, strict=True))
    kwargs = {name: _enter(name, a, entered, own) for name, a in kwargs.items()}
    with debug(), np.errstate(all="ignore"):
        result = subject(*args, **kwargs)
    case = Case(result, asked or entered, every=not asked)
    case.again, case.own = lambda: subject(*args, **kwargs), frozenset(own)
    return answer(case)


def _parameters(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    """Return the names of a function's positional arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(len(args))]


def _enter(name: str, tree: Any, entered: dict[str, Tensor], own: set[int]) -> Any:
    """Return an argument with Tensors in place of plain floats, and note the tracked ones under their names."""
    if hasattr(tree, "named_parameters"):
        entered.update(_named(tree))
        return tree
    leaves, rebuild = flatten(tree)
    for k, leaf in enumerate(leaves):
        label = name if len(leaves) == 1 else f"{name}.{k}"
        if isinstance(leaf, np.ndarray | np.number | float | complex) and np.asarray(leaf).dtype.kind in "fc":
            leaves[k] = leaf = Tensor(leaf, name=label)
            own.add(id(leaf))
        if isinstance(leaf, Tensor) and leaf.requires_grad:
            entered[leaf.name or label] = leaf
    return rebuild(leaves)


def _named(wrt: Any) -> dict[str, Tensor]:
    """Return the Tensors asked about by name: one, those of a model, or those in nested containers."""
    if isinstance(wrt, Tensor):
        return {wrt.name or "the Tensor": wrt}
    if hasattr(wrt, "named_parameters"):
        return dict(wrt.named_parameters())
    if isinstance(wrt, dict):
        return {f"{k}{'' if part is v else '.' + n}": part for k, v in wrt.items() for n, part in _named(v).items()}
    parts = list(wrt) if isinstance(wrt, Iterable) and not isinstance(wrt, np.ndarray | str) else [wrt]
    if not all(isinstance(t, Tensor) for t in parts):
        what = ", ".join(sorted({type(t).__name__ for t in parts if not isinstance(t, Tensor)}))
        raise TypeError(f"wrt= takes Tensors, a container of them, or a model with named_parameters(), not {what}")
    return {t.name or f"Tensor {i}": t for i, t in enumerate(parts)}
