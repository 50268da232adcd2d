"""What all tests share: one thread for BLAS, how long Hypothesis searches, and that a test leaves no switch thrown."""

import gc
import os

# Two threads that wait for each other over matrices of three by three: on a machine that does something else besides,
# expm, logm and solve_triangular take eight times as long. Before SciPy loads, and for the processes that tests start.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | os.environ)

import numpy as np
import pytest
import samples  # noqa: F401  first of all: it gathers samples_*.py, and they import it
from hypothesis import settings

from autograd_core.state import PLAIN, STATE

# No deadlines: a slow machine is not a wrong derivative. In CI the same examples every time: a red build is about the change.
settings.register_profile("dev", max_examples=20, deadline=None)
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


collect_ignore = ["users_programs.py"]  # test_typing.py runs them


def pytest_collection_finish():
    """Set aside what stands in memory once all tests are collected: a picture looks at every object for names."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def switches_restored():
    """Fail a test that leaves a context switch of ours, or NumPy's error handling, other than it found it."""
    errors = np.geterr()
    yield
    state, errors_left = STATE.get(), np.geterr()
    STATE.set(PLAIN)  # so that the tests after it are judged for themselves
    np.seterr(**errors)
    assert state is PLAIN, f"the test leaves a context entered: {state}"
    assert errors_left == errors, f"the test leaves NumPy's error handling changed: {errors_left}"


# What an older NumPy than the newest supported does otherwise than these tests say, by a part of a test's name.
OLDER = {
    "test_metadata_has_numpys_names": "older NumPy's functions in C tell no signatures",
    "test_registered_means_tested[composites]": "older NumPy does not take all of the samples",
    "test_rules.py::test_value_is_numpys[np.linalg.cond]": "older NumPy computes cond of complex matrices otherwise",
    "test_gradient_lives_where_its_argument_does[np.linalg.cond]": "older NumPy computes cond of complex matrices otherwise",
    "test_norms_have_numpys_bits_and_errors[(0": "older NumPy refuses norms of empty arrays",
    "test_norms_have_numpys_bits_and_errors[(3, 0)]": "older NumPy refuses norms of empty arrays",
    "test_method_is_the_function[np.ptp]": "older NumPy keeps the name ndarray.ptp for its error",
}


def pytest_collection_modifyitems(items):
    """Skip what is about the newest NumPy only."""
    if np.lib.NumpyVersion(np.__version__) < "2.4.0":
        for item in items:
            for part, why in OLDER.items():
                if part in item.nodeid:
                    item.add_marker(pytest.mark.skip(reason=why))
