"""Recurrent layers: the same weights at every step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import autograd_core as ag

from ..functional import gru, linear, lstm, rnn
from ..functional.given import numbers, whole
from ..init import Rng, generator, uniform_fan_in
from ..module import Module
from .dropout import Dropout


class _Recurrent(Module):
    """What recurrent layers share: stacked layers, one direction or two, parameters named and shaped as in PyTorch.

    A weight is drawn from U[-c, c] with c = sqrt(3 / n), n what enters it; the biases start at 0.
    """

    gates = 1
    weight_hh_l0: ag.Tensor

    def __init__(
        self,
        n_in: int,
        hidden: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: Rng,
        dtype: Any = np.float64,
    ) -> None:
        n_in, hidden, num_layers = (
            whole(n, type(self).__name__, what)
            for n, what in ((n_in, "n_in"), (hidden, "hidden"), (num_layers, "num_layers"))
        )
        rng = generator(rng)
        if min(n_in, hidden, num_layers) < 1:
            raise ValueError(
                f"{type(self).__name__} needs positive lengths, not {n_in} in, {hidden} states, {num_layers} layers"
            )
        self.n_in, self.hidden, self.num_layers = n_in, hidden, num_layers
        self.batch_first, self.bidirectional = batch_first, bidirectional
        self.dropout = Dropout(dropout, rng=rng) if dropout else None
        rows, width = self.gates * hidden, hidden * (2 if bidirectional else 1)
        for name, layer in self._runs():
            weights = {"weight_ih": n_in if layer == 0 else width, "weight_hh": hidden}
            for kind, n in weights.items():
                setattr(self, kind + name, ag.Tensor(uniform_fan_in(rng, (rows, n), dtype), name=kind + name))
            for kind in ("bias_ih", "bias_hh"):
                setattr(self, kind + name, ag.Tensor(np.zeros(rows, dtype), name=kind + name) if bias else None)

    def _runs(self) -> list[tuple[str, int]]:
        """Return how the parameters of each run over the sequence end, and in which layer it is."""
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [(f"_l{k}{direction}", k) for k in range(self.num_layers) for direction in directions]

    def _enter(self, x: Any) -> tuple[Any, bool]:
        """Return sequences as (steps, n, n_in), and whether x was a single one."""
        x = numbers(x, type(self).__name__)
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
        return x, single

    def _first(self, state: Any, x: Any, single: bool) -> Any:
        """Return a state before the first step, (runs, n, hidden) as in PyTorch: the one given, or zeros."""
        shape = len(self._runs()), x.shape[1], self.hidden
        if state is None:
            return np.zeros(shape, np.result_type(x.dtype, self.weight_hh_l0.dtype))
        wanted = (shape[0], self.hidden) if single else shape
        if state.shape != wanted:
            raise ValueError(f"{type(self).__name__} needs a first state of shape {wanted}, not {state.shape}")
        return state.reshape(shape)

    def _over(self, x: Any, *first: Any) -> tuple[Any, list[Any]]:
        """Run over sequences, layer after layer; return the states of the last, and the last states of every run."""
        ends, outputs = [], list[Any]()
        for i, (name, layer) in enumerate(self._runs()):
            w_in, w, b_in, b = (getattr(self, kind + name) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            backwards = name.endswith("_reverse")
            found = self._steps(x[::-1] if backwards else x, [state[i] for state in first], w_in, w, b_in, b)
            ends.append([states[-1] for states in found])
            outputs.append(found[0][::-1] if backwards else found[0])
            if len(outputs) == 1 + self.bidirectional:
                x = np.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]
                outputs = []
                if self.dropout is not None and layer < self.num_layers - 1:
                    x = self.dropout(x)
        return x, [np.stack(states) for states in zip(*ends, strict=True)]

    def _steps(self, x: Any, first: list[Any], w_in: Any, w: Any, b_in: Any, b: Any) -> tuple[Any, ...]:
        """Return the states at all steps, and whatever else there is beside them."""
        raise NotImplementedError

    def _leave(self, states: Any, single: bool) -> Any:
        """Return all states in the order of axes in which x came."""
        if single:
            return states[:, 0]
        return states.swapaxes(0, 1) if self.batch_first else states


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    Parameters
    ----------
    n_in, hidden : int
    num_layers : int
        Layers on top of one another, each taking the states of the one below.
    bias : bool
    batch_first : bool
        Sequences as (n, steps, features) instead of (steps, n, features).
    dropout : float
        The probability with which states are left out on their way to the next layer, in training.
    bidirectional : bool
        With a second run from the end to the start in each layer; the states of both stand side by side.
    rng : Generator or int
    dtype : dtype

    Examples
    --------
    >>> states, last = RNN(3, 5, rng=0)(np.ones((10, 4, 3)))
    >>> states.shape, last.shape
    ((10, 4, 5), (1, 4, 5))
    """

    if TYPE_CHECKING:

        def __call__(self, x: Any, h: Any = None) -> tuple[ag.Tensor, ag.Tensor]:  # type: ignore[override]
            """Return all states, and the last one of every run."""

    def forward(self, x: Any, h: Any = None) -> tuple[Any, Any]:
        """Return all states, and the last one of every run."""
        x, single = self._enter(x)
        states, (last,) = self._over(x, self._first(h, x, single))
        return self._leave(states, single), last[:, 0] if single else last

    def _steps(self, x: Any, first: list[Any], w_in: Any, w: Any, b_in: Any, b: Any) -> tuple[Any, ...]:
        """Return the states."""
        return (rnn(linear(x, w_in, _sum(b_in, b)), first[0], w),)


class LSTM(_Recurrent):
    """Long short-term memory: a cell that is forgotten from and written to through gates.

    ::

        i, f, g, o = parts of W_ih x_t + b_ih + W_hh h_(t-1) + b_hh
        c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(c_t)

    Parameters
    ----------
    n_in, hidden, num_layers : int
    bias, batch_first : bool
    dropout : float
    bidirectional : bool
    rng : Generator or int
    dtype : dtype
        All as for `RNN`.

    Examples
    --------
    >>> states, (h, c) = LSTM(3, 5, batch_first=True, rng=0)(np.ones((4, 10, 3)))
    >>> states.shape, h.shape, c.shape
    ((4, 10, 5), (1, 4, 5), (1, 4, 5))
    """

    gates = 4

    if TYPE_CHECKING:

        def __call__(  # type: ignore[override]
            self, x: Any, state: Any = None
        ) -> tuple[ag.Tensor, tuple[ag.Tensor, ag.Tensor]]:
            """Return all states, and the last state and cell of every run."""

    def forward(self, x: Any, state: Any = None) -> tuple[Any, tuple[Any, Any]]:
        """Return all states, and the last state and cell of every run."""
        x, single = self._enter(x)
        h, c = state if state is not None else (None, None)
        states, (h, c) = self._over(x, self._first(h, x, single), self._first(c, x, single))
        return self._leave(states, single), (h[:, 0], c[:, 0]) if single else (h, c)

    def _steps(self, x: Any, first: list[Any], w_in: Any, w: Any, b_in: Any, b: Any) -> tuple[Any, ...]:
        """Return states and cells."""
        return lstm(linear(x, w_in, _sum(b_in, b)), first[0], first[1], w)


class GRU(_Recurrent):
    """Gated recurrent units: a state that is kept or replaced through gates.

    ::

        z, a = W_ih x_t + b_ih, W_hh h_(t-1) + b_hh         with parts r, u, m
        r, u = sigmoid(z_r + a_r), sigmoid(z_u + a_u)
        h_t = (1 - u) * tanh(z_m + r * a_m) + u * h_(t-1)

    Parameters
    ----------
    n_in, hidden, num_layers : int
    bias, batch_first : bool
    dropout : float
    bidirectional : bool
    rng : Generator or int
    dtype : dtype
        All as for `RNN`.

    Examples
    --------
    >>> states, last = GRU(3, 5, rng=0)(np.ones((10, 4, 3)))
    >>> states.shape, last.shape
    ((10, 4, 5), (1, 4, 5))
    """

    gates = 3

    if TYPE_CHECKING:

        def __call__(self, x: Any, h: Any = None) -> tuple[ag.Tensor, ag.Tensor]:  # type: ignore[override]
            """Return all states, and the last one of every run."""

    def forward(self, x: Any, h: Any = None) -> tuple[Any, Any]:
        """Return all states, and the last one of every run."""
        x, single = self._enter(x)
        states, (last,) = self._over(x, self._first(h, x, single))
        return self._leave(states, single), last[:, 0] if single else last

    def _steps(self, x: Any, first: list[Any], w_in: Any, w: Any, b_in: Any, b: Any) -> tuple[Any, ...]:
        """Return the states."""
        return (gru(linear(x, w_in, b_in), first[0], w, np.zeros(len(w), w.dtype) if b is None else b),)


def _sum(b_in: Any, b: Any) -> Any:
    return None if b is None else b_in + b
