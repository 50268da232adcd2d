"""Optimizers: an optimizer is an equation, applied to all parameters at once.

An equation is a pure function of arrays, ``update(p, g, state, t, lr, settings)``, a static method of its class::

    p         values, any number of parameters end to end on one axis; changed in place
    g         their gradient; only read
    state     a list of arrays like p, named by `slots`; changed in place, 0 at first
    t, lr     the number of this step, from 1, and the learning rate: numbers or 0-d arrays
    settings  a mapping of what else the equation names: momentum, betas, eps, weight_decay, ...

It has no other input, does not ask for values, and is written with operators only, so that whatever has operators can
stand for the arrays: a compiled training step hands it its own.

An `Optimizer` owns the arrays. `attach` lays the parameters of each group and dtype end to end in one buffer, a `Run`,
whose parts they become; at each step the gradients of small ones are copied to another. So an update is a handful of
NumPy calls however many parameters there are, and large ones are done in blocks that stay in the cache. In step t a run
calls the equation of its optimizer with::

    run.values, run.gradients, run.state, run.steps       the buffers, and the steps that each parameter has made
    run.rate(optimizer), run.settings()                    lr and settings
"""

from .adaptive import AdaGrad, Adam, AdamW, RMSProp
from .clipping import clip_by_norm, clip_by_value
from .descent import SGD
from .optimizer import Optimizer
from .runs import Run

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Optimizer", "RMSProp", "Run", "clip_by_norm", "clip_by_value"]
