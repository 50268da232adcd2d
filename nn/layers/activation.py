"""An activation with settings, as a layer. One without is a plain function, which `Sequential` takes as it is."""

from __future__ import annotations

from typing import Any

from ..functional import Function, find_activation
from ..module import Module


class Activation(Module):
    """A function with its settings.

    Parameters
    ----------
    function : str or callable
        A name, such as "leaky_relu", or any function.
    **settings
        Keywords for it.

    Examples
    --------
    >>> import numpy as np
    >>> Activation("leaky_relu", slope=0.5)(np.array([-2.0, 2.0]))
    array([-1.,  2.])
    """

    def __init__(self, function: str | Function, **settings: Any) -> None:
        self.function = find_activation(function)
        self.settings = settings

    def forward(self, x: Any) -> Any:
        """Apply the function."""
        return self.function(x, **self.settings)
