"""Networks of autograd_core's operations: modules, activations, losses, optimizers."""

from . import data, functional, init, metrics, schedules
from .functional import identity, leaky_relu, linear, log_softmax, relu, sigmoid, softmax, softplus, tanh
from .layers import MLP, Linear, Sequential
from .losses import cross_entropy, mse
from .minimizing import minimize
from .module import Module
from .optim import SGD, AdaGrad, Adam, AdamW, RMSProp, clip_by_norm, clip_by_value

__all__ = [
    "AdaGrad",
    "Adam",
    "AdamW",
    "Linear",
    "MLP",
    "Module",
    "RMSProp",
    "SGD",
    "Sequential",
    "clip_by_norm",
    "clip_by_value",
    "cross_entropy",
    "data",
    "functional",
    "identity",
    "init",
    "leaky_relu",
    "linear",
    "log_softmax",
    "metrics",
    "minimize",
    "mse",
    "relu",
    "schedules",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]
