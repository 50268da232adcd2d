"""Layers: Modules that are a formula each, one file a family."""

from .activation import Activation
from .branches import Parallel, Residual
from .convolution import Conv1d, Conv2d
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .normalization import BatchNorm, LayerNorm
from .pooling import AvgPool2d, Flatten, MaxPool2d
from .rbf import RBF
from .recurrent import GRU, LSTM, RNN
from .sequential import MLP, Sequential

__all__ = [
    "Activation",
    "AvgPool2d",
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRU",
    "LSTM",
    "LayerNorm",
    "Linear",
    "MLP",
    "MaxPool2d",
    "Parallel",
    "RBF",
    "RNN",
    "Residual",
    "Sequential",
]
