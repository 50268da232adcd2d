"""Hessian products, Hessians and Jacobians, each by the function the library has for it: `step() -> (array,)`.

`row.at` is the point, followed by the direction if it is a Hessian product.
"""

from benchmarks.styles import compiled as whole
from benchmarks.styles.gradients import as_jax


def numpy(row):
    """Work out the formula on paper."""
    return lambda: (row.by_hand(*row.at, *row.data),)


def ours(row):
    """`ag.hvp(f)(x, v)`, `ag.hessian(f)(x)`, `ag.jacobian(f)(x)`."""
    import numpy as np

    import autograd_core as ag

    f = row.words(np)
    transform = getattr(ag, row.kind)(lambda x: f(x, *row.data))
    return lambda: (transform(*row.at),)


def torch(row):
    """`torch.autograd.functional`, vectorised: the fastest of the ways PyTorch offers, by trial."""
    import torch
    from torch.autograd import functional

    words = row.torch_words(torch)
    at, data = [torch.tensor(a) for a in row.at], [torch.tensor(d) for d in row.data]

    def f(x):
        return words(x, *data)

    if row.kind == "hvp":
        return lambda: (functional.vhp(f, *at)[1],)  # the Hessian is symmetric, and its documentation advises vhp
    transform = {"hessian": functional.hessian, "jacobian": functional.jacobian}[row.kind]
    return lambda: (transform(f, *at, vectorize=True),)


def torch_compile(row):
    """Compile `torch.func`'s transforms, which it takes apart: forward over reverse, `hessian`, `jacrev`."""
    import torch
    from torch import func

    words = row.torch_words(torch)
    at, data = [torch.tensor(a) for a in row.at], [torch.tensor(d) for d in row.data]

    def product(x, v, *data):
        return func.jvp(func.grad(lambda x: words(x, *data)), (x,), (v,))[1]

    def hessian(x, *data):
        return func.hessian(words)(x, *data)

    def jacobian(x, *data):
        return func.jacrev(words)(x, *data)

    f = whole.torch_compile({"hvp": product, "hessian": hessian, "jacobian": jacobian}[row.kind])
    return lambda: (f(*at, *data),)


def jax(row, transform=lambda f: f):
    """Forward over reverse; `jax.hessian`; `jax.jacrev`."""
    import jax

    words, at, data = row.jax_words(jax.numpy), as_jax(row.at), as_jax(row.data)

    def product(x, v, *data):
        return jax.jvp(jax.grad(lambda x: words(x, *data)), (x,), (v,))[1]

    f = transform({"hvp": product, "hessian": jax.hessian(words), "jacobian": jax.jacrev(words)}[row.kind])
    return lambda: (jax.block_until_ready(f(*at, *data)),)


def jit(row):
    """Compile the same."""
    import jax as library

    return jax(row, library.jit)


def autograd(row):
    """`hessian_vector_product`, `hessian`, `jacobian` of HIPS autograd."""
    import autograd

    words = row.autograd_words(autograd.numpy)
    transforms = {
        "hvp": autograd.hessian_vector_product,
        "hessian": autograd.hessian,
        "jacobian": autograd.jacobian,
    }
    transform = transforms[row.kind](lambda x: words(x, *row.data))
    return lambda: (transform(*row.at),)


def mygrad(row):
    """Jacobians only, a row at a time; MyGrad has no second derivatives."""
    import mygrad
    import numpy as np

    words, x = row.mygrad_words(mygrad), mygrad.tensor(*row.at)

    def step():
        rows = []
        for i in range(len(x)):
            words(x, *row.data)[i].backward()
            rows.append(x.grad)
        return (np.stack(rows),)

    return step


compiled = whole.second_order_compiled
