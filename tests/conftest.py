"""What all tests share: how long Hypothesis searches, and that a test leaves no switch thrown."""

import os

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
