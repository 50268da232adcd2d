"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_core as ag

from ..functional import ACTIVATIONS, Function, find_activation
from ..functional.given import whole
from ..init import Initialiser, Rng, generator, uniform_fan_in
from ..module import Module
from .linear import Linear


def check_layers(layers: Iterable[Any], what: str, who: str) -> None:
    """Refuse what is no layer, and say what might have been meant.

    Examples
    --------
    >>> check_layers([Linear], "layer", "Sequential")
    Traceback (most recent call last):
    ...
    TypeError: layer 0 is the class Linear: make one of it, Linear(...)
    """
    for i, layer in enumerate(layers):
        if isinstance(layer, type) and issubclass(layer, Module):
            raise TypeError(f"{what} {i} is the class {layer.__name__}: make one of it, {layer.__name__}(...)")
        if callable(layer):
            continue
        hint = ""
        if isinstance(layer, str):
            hint = f": write nn.{layer}" if layer in ACTIVATIONS else ""
        elif isinstance(layer, Iterable) and not isinstance(layer, ag.Tensor | np.ndarray):
            hint = f": write {who}(*{'branches' if what == 'branch' else 'layers'})"
        raise TypeError(f"{what} {i} is a {type(layer).__name__}, neither a Module nor a function{hint}")


class Sequential(Module):
    """Layers, Modules or plain functions, each applied to the output of the one before.

    Parameters are named by position, "0.weight", as in PyTorch.

    Examples
    --------
    >>> model = Sequential(Linear(2, 3, rng=0), np.tanh, Linear(3, 1, rng=1))
    >>> model(np.ones((5, 2))).shape
    (5, 1)
    >>> hidden = model[:2]
    >>> hidden(np.ones((5, 2))).shape, len(hidden), hidden[0] is model[0]
    ((5, 3), 2, True)
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        check_layers(layers, "layer", type(self).__name__)
        self.layers = list(layers)

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """Return the layers, named by position, and what a subclass may hold beside them."""
        rest = [(name, value) for name, value in vars(self).items() if name != "layers"]
        return [*((str(i), layer) for i, layer in enumerate(self.layers)), *rest]

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        """Go through the layers in order."""
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        """Return a layer; or some of them, the same ones, as a Sequential."""
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def forward(self, x: Any) -> Any:
        """Apply the layers in order."""
        for layer in self.layers:
            x = layer(x)
        return x


class MLP(Sequential):
    """A multi-layer perceptron: linear layers with an activation between them, and none after the last.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of features: of the input, of each hidden layer, of the output.
    activation : str or callable
        A name, such as "relu" or "tanh", or any function.
    rng : Generator or int
        Where the weights are drawn from.
    init : callable
        Their distribution, as for `Linear`.
    dtype : dtype

    Examples
    --------
    >>> MLP([2, 16, 1], activation="tanh", rng=0)
    MLP                                         65 parameters
      0: Linear  weight (16, 2), bias (16,)     48
      1: tanh
      2: Linear  weight (1, 16), bias (1,)      17
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Function = "relu",
        *,
        rng: Rng,
        init: Initialiser = uniform_fan_in,
        dtype: Any = np.float64,
    ) -> None:
        if not hasattr(sizes, "__len__") or len(sizes) < 2:
            raise ValueError(
                f"an MLP needs the sizes of its input and its output at least, such as [2, 16, 1], not {sizes!r}"
            )
        act, rng = find_activation(activation), generator(rng)
        check_layers([act], "activation", "MLP")
        sizes = [whole(n, "MLP", "a size") for n in sizes]
        layers: list[Callable[..., Any]] = []
        for n_in, n_out in pairwise(sizes):
            layers += [Linear(n_in, n_out, rng=rng, init=init, dtype=dtype), act]
        super().__init__(*layers[:-1])
