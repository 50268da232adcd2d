"""Normalisation, over the observations of a batch or within each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import layer_norm
from ..functional.given import is_number, numbers, whole, widened
from ..functional.normalization import batch_norm_and_tell, per_feature
from ..init import real
from ..module import Module


class BatchNorm(Module):
    """Standardise each feature, along axis 1, over the batch; then scale and shift it.

    In training by the batch's own mean and variance, of which a running average is kept; in evaluation by that. Takes
    (n, features), (n, features, length) and (n, features, height, width): PyTorch's BatchNorm1d and 2d, and its names.
    As there, a forward pass in training moves the averages whatever becomes of its loss; `fit` puts them back if the
    step fails.

    Parameters
    ----------
    n : int
        Number of features.
    eps : float
        Added to the variance.
    momentum : float
        How far the running averages move at each step.
    affine : bool
        With `weight` and `bias`.
    dtype : dtype

    Examples
    --------
    >>> layer = BatchNorm(1, eps=0)
    >>> layer(np.array([[1.0], [3.0]])).data
    array([[-1.],
           [ 1.]])
    >>> sorted(layer.state_dict())
    ['bias', 'num_batches_tracked', 'running_mean', 'running_var', 'weight']
    """

    def __init__(
        self, n: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True, dtype: Any = np.float64
    ) -> None:
        if not is_number(momentum) or not 0 <= momentum <= 1:
            raise ValueError(f"momentum lies between 0 and 1, not {momentum!r}")
        (n,), dtype = _lengths("BatchNorm", n, eps), real(dtype)
        self.eps, self.momentum = eps, momentum
        self.weight = ag.Tensor(np.ones(n, dtype), name="weight") if affine else None
        self.bias = ag.Tensor(np.zeros(n, dtype), name="bias") if affine else None
        wide = np.promote_types(dtype, np.float32)  # the variance of numbers beyond 256 is no float16
        self.running_mean = ag.Tensor(np.zeros(n, wide), requires_grad=False)
        self.running_var = ag.Tensor(np.ones(n, wide), requires_grad=False)
        self.num_batches_tracked = ag.Tensor(0)

    def forward(self, x: Any) -> Any:
        """Standardise a batch."""
        n, x = self.running_mean.size, numbers(x, "BatchNorm", "biuf")
        if x.ndim < 2 or x.shape[1] != n:
            raise ValueError(f"BatchNorm of {n} features needs x of shape (n, {n}, ...), not {x.shape}")
        if self.training:
            count = x.size // max(n, 1)
            if count < 2:
                raise ValueError(
                    f"BatchNorm needs two values of each feature at least to train; x has the shape {x.shape}"
                )
            y, (mean, variance) = batch_norm_and_tell(x, self.weight, self.bias, eps=self.eps)
            self._follow(mean, variance * (count / (count - 1)))
            return y
        scale = 1 / np.sqrt(self.running_var.data + self.running_var.dtype.type(self.eps))
        shift = -self.running_mean.data * scale
        if self.weight is not None and self.bias is not None:
            scale, shift = self.weight * scale, self.weight * shift + self.bias
        y = widened(x) * per_feature(scale, x.ndim) + per_feature(shift, x.ndim)
        half = x.dtype == np.float16 and (self.weight is None or self.weight.dtype == np.float16)
        return y.astype(np.float16) if half else y

    def _follow(self, mean: Any, variance: Any) -> None:
        """Move the running averages towards the mean and the (unbiased) variance of a batch."""
        for running, new in ((self.running_mean, mean), (self.running_var, variance)):
            new = new.data if isinstance(new, ag.Tensor) else new
            running.assign(((1 - self.momentum) * running.data + self.momentum * new).astype(running.dtype))
        self.num_batches_tracked.assign(self.num_batches_tracked.data + 1)


class LayerNorm(Module):
    """Standardise each observation over its last axes; then scale and shift its features.

    Parameters
    ----------
    shape : int or tuple of int
        Lengths of the axes to standardise over.
    eps : float
        Added to the variance.
    dtype : dtype

    Examples
    --------
    >>> LayerNorm(2, eps=0)(np.array([[1.0, 3.0], [10.0, 30.0]])).data
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(self, shape: int | tuple[int, ...], *, eps: float = 1e-5, dtype: Any = np.float64) -> None:
        self.eps, shape = eps, _lengths("LayerNorm", shape, eps)
        self.weight = ag.Tensor(np.ones(shape, real(dtype)), name="weight")
        self.bias = ag.Tensor(np.zeros(shape, real(dtype)), name="bias")

    def forward(self, x: Any) -> Any:
        """Standardise observations."""
        shape, x = self.weight.shape, numbers(x, "LayerNorm", "biuf")
        if x.shape[-len(shape) :] != shape:
            wanted = ", ".join(map(str, shape))
            raise ValueError(f"LayerNorm of {shape} needs x of shape (..., {wanted}), not {x.shape}")
        return layer_norm(x, self.weight, self.bias, eps=self.eps)


def _lengths(who: str, shape: Any, eps: Any) -> tuple[int, ...]:
    """Return a shape as a tuple; or say what is wrong with it, or with eps."""
    found = tuple(whole(n, who, "a length") for n in (shape if isinstance(shape, Iterable) else (shape,)))
    if not found or min(found) < 1:
        raise ValueError(f"{who} is of a positive number of features, not of {shape!r}")
    if not is_number(eps) or not 0 <= eps < np.inf:
        raise ValueError(f"eps is a small number from 0 upwards, not {eps!r}")
    return found
