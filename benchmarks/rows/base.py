"""What a row is.  A row names a workload, makes its data once from a seed, and says it in each library's words."""

import copy
from typing import ClassVar

import numpy as np

from benchmarks.styles import descent, gradients, second_order

NEEDS = {"micrograd": "micrograd_words", "out": "sizes"}  # what a row must have for some libraries
WITHOUT = {
    "micrograd": "only scalars",
    "out": "only training steps of dense layers",
    **dict.fromkeys(["jax", "jit", "autograd", "mygrad"], "no layers that own parameters"),
}


class Row:
    """A workload; `step(library)` gives a function of nothing that runs it once and returns everything to compare.

    A subclass makes its data in `make(rng)`, as `self.params` (differentiated by) and `self.data` (constants), and has:

    - `by_hand(*params, *data)`: what a careful person writes in NumPy, forward and backward;
    - `words(np)`: the function as a user of `np` writes it, where `np` is NumPy (for ours), `jax.numpy`,
      `autograd.numpy` or `mygrad`; `jax_words`, `autograd_words`, `mygrad_words` where that user would write otherwise;
    - `torch_words(torch)`, and `micrograd_words()` for scalars.
    """

    style = gradients  # the module that turns words into a step
    dtype = np.float64
    data = ()
    absent: ClassVar = {}  # libraries that cannot do this, or not in minutes, and why
    slow = ()  # libraries left out of a --quick run
    operations = None  # recorded operations, where the time of one is of interest

    def __init__(self, name, title):
        self.name = name
        self.title = title

    def __repr__(self):
        return f"<row {self.name}>"

    @property
    def tolerance(self):
        """Relative error allowed to every result."""
        return 1e-8 if self.dtype == np.float64 else 1e-4

    def absence(self, library):
        """Why a library takes no part in this row, or an empty string."""
        if library in self.absent:
            return self.absent[library]
        can = hasattr(self.style, library) and hasattr(self, NEEDS.get(library, "make"))
        return "" if can else WITHOUT[library]

    def step(self, library):
        """Fresh data and the step that uses it, or None where the library has none."""
        if self.absence(library):
            return None
        row = copy.copy(self)
        row.make(np.random.default_rng(0))
        return getattr(self.style, library)(row)

    def jax_words(self, np):
        """Say it for un-jitted JAX."""
        return self.words(np)

    def jit_words(self, np):
        """Say it for `jax.jit`; loops become scans here."""
        return self.jax_words(np)

    def autograd_words(self, np):
        """Say it for HIPS autograd."""
        return self.words(np)

    def mygrad_words(self, np):
        """Say it for MyGrad."""
        return self.words(np)


class Gradients(Row):
    """Loss and the gradient of every parameter."""


class Descent(Row):
    """Loss and the parameters after one step of gradient descent; repeated, so the parameters move on."""

    style = descent
    rate = 0.1


class SecondOrder(Row):
    """A Hessian product, a Hessian or a Jacobian, by `kind`."""

    style = second_order

    def __init__(self, name, title, kind):
        super().__init__(name, title)
        self.kind = kind
