"""Recurrence: a whole sequence is one operation, a loop over its steps inside.

The way back through time is written with NumPy's functions on whole steps, once: with plain arrays it is fast (the
gradient of the weight is a single product over all steps), with Tensors it is recorded and can be differentiated again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from .activations import sigmoid
from .products import dot


def rnn(z: Any, h: Any, weight: Any) -> Any:
    """Return all states h_t = tanh(z_t + h_(t-1) @ weight.T) of a recurrent layer.

    Parameters
    ----------
    z : (steps, n, hidden) array
        What enters at each step, already multiplied by its weight.
    h : (n, hidden) array
        The state before the first step.
    weight : (hidden, hidden) array

    Examples
    --------
    >>> rnn(np.ones((2, 1, 1)), np.zeros((1, 1)), np.ones((1, 1))).round(4)
    array([[[0.7616]],
    <BLANKLINE>
           [[0.9427]]])
    """
    return _rnn(z, h, weight)


@ag.primitive
def _rnn(z: Any, h: Any, weight: Any) -> Any:
    out = np.array(z, np.result_type(z, h, weight))
    w = weight.T
    for y in out:
        y += h.dot(w)
        h = np.tanh(y, out=y)
    return out


def _rnn_pull(g: Any, h: Any, weight: Any, ans: Any) -> list[Any]:
    slope = 1 - ans * ans
    d, rows = None, []
    for t in reversed(range(len(ans))):
        d = (g[t] if d is None else g[t] + dot(d, weight)) * slope[t]
        rows.append(d)
    dz = np.stack(rows[::-1])
    return [dz, dot(dz[0], weight), _weight_gradient(dz, _before(ans, h))]


def _before(states: Any, first: Any) -> Any:
    """Return the state before each step."""
    return np.concatenate([first[None], states[:-1]])


def _weight_gradient(dz: Any, before: Any) -> Any:
    return dot(dz.reshape(-1, dz.shape[-1]).T, before.reshape(-1, before.shape[-1]))


ag.rule(_rnn, _rnn_pull, None, None, args="z h weight", name="rnn", joint=True)


def lstm(z: Any, h: Any, c: Any, weight: Any) -> tuple[Any, Any]:
    """Return all states h_t and cells c_t of a long short-term memory.

    ::

        i, f, g, o = parts of z_t + h_(t-1) @ weight.T      input, forget, candidate, output
        c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(c_t)

    Parameters
    ----------
    z : (steps, n, 4 * hidden) array
        What enters at each step, already multiplied by its weight.
    h, c : (n, hidden) arrays
        State and cell before the first step.
    weight : (4 * hidden, hidden) array
    """
    both = _lstm(z, h, c, weight)
    return both[0], both[1]


def _lstm_and_gates(z: Any, h: Any, c: Any, weight: Any) -> tuple[Any, Any]:
    """Return states and cells of all steps, and their gates: the way back needs these, unless it is recorded."""
    k, w = h.shape[-1], weight.T
    gates = np.array(z, np.result_type(z, h, c, weight))
    out = np.empty((2, len(z), *h.shape), gates.dtype)
    with np.errstate(over="ignore"):  # as in sigmoid, whose formula this is
        for t, a in enumerate(gates):
            a += h.dot(w)
            u = np.tanh(a[:, 2 * k : 3 * k])
            np.exp(np.negative(a, out=a), out=a)
            a += 1
            np.divide(1, a, out=a)
            a[:, 2 * k : 3 * k] = u
            u *= a[:, :k]
            c = np.add(a[:, k : 2 * k] * c, u, out=out[1, t])
            h = np.multiply(a[:, 3 * k :], np.tanh(c), out=out[0, t])
    return out, gates


@ag.primitive
def _lstm(z: Any, h: Any, c: Any, weight: Any) -> Any:
    return _lstm_and_gates(z, h, c, weight)[0]


def _gates_again(z: Any, before: Any, weight: Any) -> tuple[Any, Any, Any, Any]:
    k = before.shape[-1]
    a = z + before @ weight.T
    return (
        sigmoid(a[..., :k]),
        sigmoid(a[..., k : 2 * k]),
        np.tanh(a[..., 2 * k : 3 * k]),
        sigmoid(a[..., 3 * k :]),
    )


def _lstm_pull(g: Any, z: Any, h: Any, c: Any, weight: Any, ans: Any, aux: Any = None) -> list[Any]:
    before, cells = _before(ans[0], h), _before(ans[1], c)
    if any(isinstance(v, ag.Tensor) for v in (z, h, c, weight)):
        i, f, u, o = _gates_again(z, before, weight)
    else:
        i, f, u, o = np.split(aux, 4, axis=-1)
    q = np.tanh(ans[1])
    to_cell, to_output = o * (1 - q * q), q * o * (1 - o)
    to_gates = np.stack([u * i * (1 - i), cells * f * (1 - f), i * (1 - u * u)], axis=2)
    dh, dc, rows = None, None, []
    for t in reversed(range(len(z))):
        dh = g[0, t] if dh is None else g[0, t] + dh
        dc = g[1, t] + dh * to_cell[t] if dc is None else g[1, t] + dh * to_cell[t] + dc
        row = np.concatenate([dc[:, None] * to_gates[t], (dh * to_output[t])[:, None]], axis=1)
        rows.append(row.reshape(z.shape[1:]))
        dh, dc = dot(rows[-1], weight), dc * f[t]
    dz = np.stack(rows[::-1])
    return [dz, dh, dc, _weight_gradient(dz, before)]


ag.rule(
    _lstm, _lstm_pull, None, None, None, args="z h c weight", name="lstm", joint=True, compute=_lstm_and_gates, aux=True
)


def gru(z: Any, h: Any, weight: Any, bias: Any) -> Any:
    """Return all states h_t of gated recurrent units.

    ::

        a = h_(t-1) @ weight.T + bias                  z_t and a have three parts: reset, update, candidate
        r = sigmoid(z_r + a_r)
        u = sigmoid(z_u + a_u)
        h_t = (1 - u) * tanh(z_m + r * a_m) + u * h_(t-1)

    Parameters
    ----------
    z : (steps, n, 3 * hidden) array
        What enters at each step, already multiplied by its weight.
    h : (n, hidden) array
        The state before the first step.
    weight : (3 * hidden, hidden) array
    bias : (3 * hidden,) array
    """
    return _gru(z, h, weight, bias)


def _gates(z: Any, before: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any, Any]:
    """Return reset, update, candidate, and the candidate's part of the product with the state before."""
    k = before.shape[-1]
    a = dot(before.reshape(-1, k), weight.T).reshape(z.shape) + bias
    gates = sigmoid(z[..., : 2 * k] + a[..., : 2 * k])
    r, u, inner = gates[..., :k], gates[..., k:], a[..., 2 * k :]
    return r, u, np.tanh(z[..., 2 * k :] + r * inner), inner


def _gru_and_gates(z: Any, h: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
    """Return the states of all steps and their gates, which the way back needs, unless it is recorded."""
    out = np.empty((*z.shape[:2], h.shape[-1]), np.result_type(z, h, weight, bias))
    gates = np.empty((4, *out.shape), out.dtype)
    for t, row in enumerate(z):
        r, u, m, inner = _gates(row, h, weight, bias)
        gates[:, t] = r, u, m, inner
        h = np.add((1 - u) * m, u * h, out=out[t])
    return out, gates


@ag.primitive
def _gru(z: Any, h: Any, weight: Any, bias: Any) -> Any:
    return _gru_and_gates(z, h, weight, bias)[0]


def _gru_pull(g: Any, z: Any, h: Any, weight: Any, bias: Any, ans: Any, aux: Any = None) -> list[Any]:
    before = _before(ans, h)
    if any(isinstance(v, ag.Tensor) for v in (z, h, weight, bias)):
        r, u, m, inner = _gates(z, before, weight, bias)
    else:
        r, u, m, inner = aux
    to_candidate, to_update = (1 - u) * (1 - m * m), (before - m) * u * (1 - u)
    to_reset = inner * r * (1 - r)
    dh, rows, inside = None, [], []
    for t in reversed(range(len(z))):
        dh = g[t] if dh is None else g[t] + dh
        dm = dh * to_candidate[t]
        first = [dm * to_reset[t], dh * to_update[t]]
        rows.append(np.concatenate([*first, dm], axis=-1))
        inside.append(np.concatenate([*first, dm * r[t]], axis=-1))
        dh = dot(inside[-1], weight) + dh * u[t]
    da = np.stack(inside[::-1])
    return [np.stack(rows[::-1]), dh, _weight_gradient(da, before), da.sum(axis=(0, 1))]


ag.rule(
    _gru, _gru_pull, None, None, None, args="z h weight bias", name="gru", joint=True, compute=_gru_and_gates, aux=True
)
