"""Functions of arrays and of Tensors alike: what layers are made of, one file a family.

A function has a rule of its own where composing it of NumPy's functions would overflow, lose digits or be slow.
"""

from .activations import (
    ACTIVATIONS,
    Function,
    elu,
    find_activation,
    gelu,
    identity,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    step,
    tanh,
)
from .convolution import conv1d, conv2d
from .normalization import batch_norm, layer_norm, standardize
from .pooling import avg_pool2d, max_pool2d
from .products import linear
from .recurrence import gru, lstm, rnn
from .rows import embedding

__all__ = [
    "ACTIVATIONS",
    "Function",
    "avg_pool2d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "elu",
    "embedding",
    "find_activation",
    "gelu",
    "gru",
    "identity",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "lstm",
    "max_pool2d",
    "relu",
    "rnn",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "standardize",
    "step",
    "tanh",
]
