"""What tables of tests share: rows with readable names, rows that fail for now, and a comparison bit for bit."""

import inspect

import numpy as np
import pytest

from autograd_core import Tensor


def bug(*values, reason, id=None):
    """Return a row that fails for now, and must be told when it no longer does."""
    return pytest.param(*values, marks=pytest.mark.xfail(strict=True, reason=reason), id=id)


def expressions(*sources, of="t"):
    """Return functions of `of` written as expressions in the calling module, each a row under its own source.

    A pair (source, reason) is a row that fails for now.
    """
    scope = inspect.currentframe().f_back.f_globals
    rows = []
    for source in sources:
        source, reason = source if isinstance(source, tuple) else (source, None)
        function = eval(f"lambda {of}: {source}", scope)
        rows.append(pytest.param(function, id=source) if reason is None else bug(function, reason=reason, id=source))
    return rows


def named(table):
    """Return the rows of a dict under their keys; a row is a value or a tuple of values, or comes from `bug`."""
    rows = []
    for name, row in table.items():
        marks = getattr(row, "marks", ())
        values = row.values if hasattr(row, "marks") else row if isinstance(row, tuple) else (row,)
        rows.append(pytest.param(*values, marks=marks, id=name))
    return rows


def same(ours, theirs, container=None):
    """Compare with NumPy's result: the container if given, shape, dtype and every bit, through nested tuples and lists."""
    if isinstance(theirs, tuple | list):
        assert type(ours) is type(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, container)
        return
    assert container is None or type(ours) is container
    value = ours._data if isinstance(ours, Tensor) else ours
    if isinstance(ours, Tensor):  # scalars are NumPy scalars, never arrays without axes
        assert isinstance(value, np.ndarray) == (np.ndim(theirs) > 0)
    assert np.shape(value) == np.shape(theirs)
    assert np.asarray(value).dtype == np.asarray(theirs).dtype
    assert np.asarray(value).tobytes() == np.asarray(theirs).tobytes()
