"""Convolutions: one small weight, shared by all places of a signal or an image."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import conv1d, conv2d
from ..functional.convolution import check_moves, lengths
from ..functional.given import whole
from ..init import Initialiser, Rng, drawn, uniform_fan_in
from ..module import Module


class _Convolution(Module):
    """What convolutions share; `axes` says along how many the window is moved."""

    axes = 0

    def __init__(
        self,
        n_in: int,
        n_out: int,
        window: int | tuple[int, ...],
        *,
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        rng: Rng,
        init: Initialiser = uniform_fan_in,
        dtype: Any = np.float64,
    ) -> None:
        d, who = self.axes, type(self).__name__
        n_in, n_out, groups = whole(n_in, who, "n_in"), whole(n_out, who, "n_out"), whole(groups, who, "groups")
        self.stride, self.dilation, self.groups = check_moves(d, stride, padding, dilation, groups)
        self.padding = padding if isinstance(padding, str) else lengths(padding, d, "padding", 0)
        if n_in % groups or n_out % groups:
            raise ValueError(f"{n_in} channels in and {n_out} out cannot both be split into {groups} groups")
        shape = n_out, n_in // groups, *lengths(window, d, "window", 1)
        self.weight = ag.Tensor(drawn(init, rng, shape, dtype), name="weight")
        self.bias = ag.Tensor(np.zeros(shape[0], dtype), name="bias") if bias else None

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}


class Conv1d(_Convolution):
    """A window moved along signals (n, n_in, length).

    Parameters
    ----------
    n_in, n_out : int
        Numbers of channels.
    window : int
    stride, dilation, groups : int
        As for `nn.functional.conv1d`.
    padding : int or "same"
    bias : bool
    rng : Generator or int
        Where the weight, of shape (n_out, n_in / groups, window), is drawn from; the bias starts at 0.
    init : callable
        Its distribution, as for `Linear`.
    dtype : dtype

    Examples
    --------
    >>> Conv1d(2, 3, 5, rng=0)(np.ones((4, 2, 20))).shape
    (4, 3, 16)
    """

    axes = 1

    def forward(self, x: Any) -> Any:
        """Correlate signals with the weight."""
        return conv1d(x, self.weight, self.bias, **self._settings())


class Conv2d(_Convolution):
    """A window moved over images (n, n_in, height, width).

    Parameters
    ----------
    n_in, n_out : int
        Numbers of channels.
    window : int or pair
    stride, dilation : int or pair
        As for `nn.functional.conv2d`.
    padding : int or pair or "same"
    groups : int
    bias : bool
    rng : Generator or int
        Where the weight, (n_out, n_in / groups, height, width of the window), is drawn from; the bias starts at 0.
    init : callable
        Its distribution, as for `Linear`.
    dtype : dtype

    Examples
    --------
    >>> Conv2d(1, 8, 5, padding=2, rng=0)(np.ones((4, 1, 28, 28))).shape
    (4, 8, 28, 28)
    """

    axes = 2

    def forward(self, x: Any) -> Any:
        """Correlate images with the weight."""
        return conv2d(x, self.weight, self.bias, **self._settings())
