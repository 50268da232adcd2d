"""Pooling, and the way from images to vectors."""

from __future__ import annotations

import math
from typing import Any

from ..functional import avg_pool2d, max_pool2d
from ..functional.convolution import lengths
from ..functional.given import numbers
from ..module import Module


class _Pool2d(Module):
    """What pooling layers share."""

    def __init__(
        self,
        window: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        self.window = lengths(window, 2, "window", 1)
        self.stride = self.window if stride is None else lengths(stride, 2, "stride", 1)
        self.padding = lengths(padding, 2, "padding", 0)


class MaxPool2d(_Pool2d):
    """The largest entry of each window.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2d(2)(np.ones((4, 8, 24, 24))).shape
    (4, 8, 12, 12)
    """

    def forward(self, x: Any) -> Any:
        """Pool images (..., height, width)."""
        return max_pool2d(x, self.window, stride=self.stride, padding=self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window, the zeros of the padding included.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool2d(2)(np.ones((4, 8, 24, 24))).shape
    (4, 8, 12, 12)
    """

    def forward(self, x: Any) -> Any:
        """Pool images (..., height, width)."""
        return avg_pool2d(x, self.window, stride=self.stride, padding=self.padding)


class Flatten(Module):
    """Each observation as a vector.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.ones((4, 8, 12, 12))).shape
    (4, 1152)
    """

    def forward(self, x: Any) -> Any:
        """Join all axes but the first."""
        x = numbers(x, "Flatten")
        if not x.ndim:
            raise ValueError("Flatten needs observations along a first axis, not a number")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))
