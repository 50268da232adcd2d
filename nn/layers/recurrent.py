"""Recurrent layers: the same weights at every step of a sequence."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import linear, lstm, rnn
from ..init import Rng, generator, uniform_fan_in
from ..module import Module


class _Recurrent(Module):
    """What recurrent layers share: one layer, one direction, parameters named and shaped as in PyTorch.

    A weight is drawn from U[-c, c] with c = sqrt(3 / n), n what enters it; the biases start at 0.
    """

    gates = 1

    def __init__(self, n_in: int, hidden: int, *, batch_first: bool = False, rng: Rng, dtype: Any = np.float64) -> None:
        n_in, hidden, rng = operator.index(n_in), operator.index(hidden), generator(rng)
        self.n_in, self.hidden, self.batch_first = n_in, hidden, batch_first
        rows = self.gates * hidden
        self.weight_ih_l0 = ag.Tensor(uniform_fan_in(rng, (rows, n_in), dtype), name="weight_ih_l0")
        self.weight_hh_l0 = ag.Tensor(uniform_fan_in(rng, (rows, hidden), dtype), name="weight_hh_l0")
        self.bias_ih_l0 = ag.Tensor(np.zeros(rows, dtype), name="bias_ih_l0")
        self.bias_hh_l0 = ag.Tensor(np.zeros(rows, dtype), name="bias_hh_l0")

    def _enter(self, x: Any) -> tuple[Any, bool]:
        """Return what enters at each step, (steps, n, gates * hidden), and whether x was a single sequence."""
        if x.ndim not in (2, 3) or x.shape[-1] != self.n_in:
            order = "(n, steps, {})" if self.batch_first else "(steps, n, {})"
            wanted = f"{order.format(self.n_in)} or (steps, {self.n_in})"
            raise ValueError(f"{type(self).__name__} needs x of shape {wanted}, not {x.shape}")
        single = x.ndim == 2
        if single:
            x = x[:, None]
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        if not x.shape[0]:
            raise ValueError(f"{type(self).__name__} needs a sequence of one step at least")
        return linear(x, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0), single

    def _first(self, state: Any, z: Any, single: bool) -> Any:
        """Return a state before the first step, (n, hidden): the one given, (1, n, hidden) as in PyTorch, or zeros."""
        shape = z.shape[1], self.hidden
        if state is None:
            return np.zeros(shape, z.dtype)
        wanted = (1, self.hidden) if single else (1, *shape)
        if state.shape != wanted:
            raise ValueError(f"{type(self).__name__} needs a first state of shape {wanted}, not {state.shape}")
        return state.reshape(shape)

    def _leave(self, states: Any, single: bool) -> Any:
        """Return all states in the order of axes in which x came."""
        if single:
            return states[:, 0]
        return states.swapaxes(0, 1) if self.batch_first else states

    def _last(self, states: Any, single: bool) -> Any:
        """Return the last state as PyTorch does, (1, n, hidden)."""
        return states[-1] if single else states[-1:]


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    Parameters
    ----------
    n_in, hidden : int
    batch_first : bool
        Sequences as (n, steps, features) instead of (steps, n, features).
    rng : Generator or int
    dtype : dtype

    Examples
    --------
    >>> states, last = RNN(3, 5, rng=0)(np.ones((10, 4, 3)))
    >>> states.shape, last.shape
    ((10, 4, 5), (1, 4, 5))
    """

    def forward(self, x: Any, h: Any = None) -> tuple[Any, Any]:
        """Return all states, and the last one."""
        z, single = self._enter(x)
        states = rnn(z, self._first(h, z, single), self.weight_hh_l0)
        return self._leave(states, single), self._last(states, single)


class LSTM(_Recurrent):
    """Long short-term memory: a cell that is forgotten from and written to through gates.

    ::

        i, f, g, o = parts of W_ih x_t + b_ih + W_hh h_(t-1) + b_hh
        c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(c_t)

    Parameters
    ----------
    n_in, hidden : int
    batch_first : bool
        Sequences as (n, steps, features) instead of (steps, n, features).
    rng : Generator or int
    dtype : dtype

    Examples
    --------
    >>> states, (h, c) = LSTM(3, 5, batch_first=True, rng=0)(np.ones((4, 10, 3)))
    >>> states.shape, h.shape, c.shape
    ((4, 10, 5), (1, 4, 5), (1, 4, 5))
    """

    gates = 4

    def forward(self, x: Any, state: Any = None) -> tuple[Any, tuple[Any, Any]]:
        """Return all states, and the last state and cell."""
        z, single = self._enter(x)
        h, c = state if state is not None else (None, None)
        states, cells = lstm(z, self._first(h, z, single), self._first(c, z, single), self.weight_hh_l0)
        return self._leave(states, single), (self._last(states, single), self._last(cells, single))
