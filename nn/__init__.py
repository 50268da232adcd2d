"""Networks of autograd_core's operations: modules, activations, losses, optimizers."""

from . import functional, init
from .functional import identity, leaky_relu, linear, log_softmax, relu, sigmoid, softmax, softplus, tanh
from .layers import MLP, Linear, Sequential
from .losses import cross_entropy, mse
from .module import Module
from .optim import SGD

__all__ = [
    "Linear",
    "MLP",
    "Module",
    "SGD",
    "Sequential",
    "cross_entropy",
    "functional",
    "identity",
    "init",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]
