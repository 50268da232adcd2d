"""Losses: functions of a prediction and a target, each one operation on the tape.

`reduction` is "mean" over all losses, "sum", or "none" for one loss each; `sample_weight` gives each observation a
weight, and then the mean is divided by the sum of the weights.
"""

from .binary import bce, bce_with_logits, binomial, hinge, logistic
from .classification import cross_entropy, multinomial_deviance, nll
from .penalties import l1_penalty, l2_penalty
from .reductions import Reduction
from .regression import huber, l1, mse

__all__ = [
    "Reduction",
    "bce",
    "bce_with_logits",
    "binomial",
    "cross_entropy",
    "hinge",
    "huber",
    "l1",
    "l1_penalty",
    "l2_penalty",
    "logistic",
    "mse",
    "multinomial_deviance",
    "nll",
]
