"""Every public function of NumPy is ruled, composed, constant or refused: nothing falls through, nothing is silently lost."""

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions, get_overridable_numpy_ufuncs

import autograd_core as ag
from autograd_core import protocols
from autograd_core.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

HOME = Path(__file__).parent.parent / "docs"


def load(path):
    spec = importlib.util.spec_from_file_location("coverage_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


coverage = load(HOME / "coverage.py")


def known(fn):
    return any(fn in table for table in (RULES, COMPOSITES, CONSTANTS, REFUSED)) or fn.__module__ in REFUSED


# --- the list is NumPy's own ------------------------------------------------------------------------------------------


def test_every_overridable_function_has_a_class():
    public = lambda fn: getattr(np, fn.__name__, fn)  # of np.full and its like NumPy lists an inner twin as well
    missing = {
        f"{fn.__module__}.{fn.__name__}"
        for fn in get_overridable_numpy_array_functions()
        if not known(fn) and not known(public(fn))
    }
    assert not missing, "NumPy lets a Tensor answer for these, and it has no answer"


def of_numbers(ufunc):
    return any(set(types) & set("efdFD") for types in ufunc.types) or any(
        set(types) & set("bhilqBHILQ") for types in ufunc.types
    )


def test_every_ufunc_of_numbers_has_a_class():
    ufuncs = [u for u in get_overridable_numpy_ufuncs() if not u.__name__.startswith("_")]
    assert len(ufuncs) > 100
    missing = {u.__name__ for u in ufuncs if of_numbers(u) and not known(u) and not hasattr(np.strings, u.__name__)}
    assert not missing, "ufuncs without a class"


def test_every_public_function_has_a_class():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        functions = coverage.public_functions()
    assert len(functions) > 400
    missing = [name for name, fn in functions.items() if not coverage.classify(name, fn)[0]]
    assert not missing, "give them a rule, a composite, constant(...) or refuse(...)"


def test_no_function_has_two_classes():
    tables = {"RULES": RULES, "COMPOSITES": COMPOSITES, "CONSTANTS": CONSTANTS, "REFUSED": REFUSED}
    twice = {
        (getattr(fn, "__name__", fn), a, b)
        for a, one in tables.items()
        for b, other in tables.items()
        if a < b
        for fn in one
        if fn in other
    }
    assert not twice


@pytest.mark.parametrize("fn", REFUSED, ids=lambda fn: getattr(fn, "__name__", fn))
def test_a_refusal_says_why(fn):
    why = REFUSED[fn]
    assert re.match(r"^[a-z].{15,}[^.]$", why)
    if callable(fn):
        with pytest.raises(TypeError, match=re.escape(why)):
            protocols.call(fn, (ag.Tensor([1.0]),), {})


# --- nothing is lost on the way ---------------------------------------------------------------------------------------

# What takes arrays and is not overridable would have to drop the gradient; a Tensor's conversions refuse that.
CLASSES = "matrix vectorize broadcast nditer ndenumerate recarray".split()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_arrays_refuses_a_tracked_tensor(name):
    cls, t = getattr(np, name), ag.Tensor([1.0, 2.0])
    with pytest.raises((TypeError, ValueError)):
        cls(np.sin)(t) if name == "vectorize" else cls(t)


UNASKED = {
    "asmatrix": np.asmatrix, "asarray_chkfinite": np.asarray_chkfinite, "bmat": lambda t: np.bmat([[t, t]]), "from_dlpack": np.from_dlpack, "as_strided": np.lib.stride_tricks.as_strided,
    "r_": lambda t: np.r_[t, 1.0], "c_": lambda t: np.c_[t, t], "array": lambda t: np.array([t, t]), "full": lambda t: np.full(2, t),
    "poly1d": lambda t: np.polyadd(np.poly1d([1.0]), np.asarray(t)), "full_like": lambda t: np.full_like(np.zeros(2), t), "copyto": lambda t: np.copyto(np.zeros(2), t),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("fn", UNASKED.values(), ids=UNASKED)
def test_what_cannot_ask_a_tensor_cannot_take_one(fn):
    with pytest.raises(TypeError, match="silently lose its gradient"):
        fn(ag.Tensor([1.0, 2.0]))


@pytest.mark.parametrize("fn", [np.strings.str_len, np.strings.upper, np.strings.find])
def test_functions_of_strings_refuse(fn):
    t = ag.Tensor([1.0])
    with pytest.raises(TypeError):
        fn(t) if fn in (np.strings.str_len, np.strings.upper) else fn(t, t)


def test_constants_are_plain_arrays():
    t = ag.Tensor([3.0, -1.0])
    for fn in (np.floor, np.round, np.argsort, np.isnan, np.zeros_like, np.floor_divide):
        y = fn(t, 2.0) if fn is np.floor_divide else fn(t)
        assert type(y) is np.ndarray


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_is_up_to_date():
    written = coverage.PAGE.read_text(encoding="utf-8")
    series = re.search(r"NumPy (\d+\.\d+)", written)[1]
    if series != coverage.SERIES:
        pytest.skip(f"the page is of NumPy {series}, this is {coverage.SERIES}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert written == coverage.page(), "run python docs/coverage.py"
