"""Programs whose pictures are tested. Arrays are made of small dyadic fractions: the numbers printed do not depend on BLAS."""

import numpy as np

import autograd_core as ag


def some(*shape, step=0.25, start=-0.75):
    """Return an array of a few different numbers."""
    return (start + step * (np.arange(np.prod(shape)) % 7)).reshape(shape)


def scalar():
    a, b = ag.Tensor(2.0, name="a"), ag.Tensor(-3.0, name="b")
    return {"what": a * b + 1.0}


def micrograd():
    """README of micrograd."""
    a, b = ag.Tensor(-4.0, name="a"), ag.Tensor(2.0, name="b")
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + ag.relu(b + a)
    d = d + 3 * d + ag.relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g = g + 10.0 / f
    return {"what": g, "names": {"e": e}}


def mlp():
    """The lecture's loss of two layers."""
    x, y = some(3), some(1)
    W1, W2 = ag.Tensor(some(3, 4), name="W1"), ag.Tensor(some(4, 1), name="W2")
    with ag.scope("layer 1"):
        h = np.tanh(x @ W1)
    with ag.scope("layer 2"):
        out = np.tanh(h @ W2)
    error = np.sum((out - y) ** 2)
    with ag.scope("regulariser"):
        r = 0.5 * (np.sum(W1**2) + np.sum(W2**2))
    return {"what": error + r, "inputs": {"x": x, "y": y}, "outputs": {"ŷ": out}}


def residual():
    x = ag.Tensor(some(4, 4), name="x")
    W = ag.Tensor(some(4, 4), name="W")
    with ag.scope("block"):
        y = x + ag.relu(x @ W)
    return {"what": np.sum(y * y), "inputs": {"x": x}}


def recurrent(steps=5):
    W, U = ag.Tensor(some(3, 4), name="W"), ag.Tensor(some(4, 4), name="U")
    h = np.zeros(4)
    for t in range(steps):
        with ag.scope(f"t = {t + 1}"):
            h = np.tanh(some(3, start=0.125 * t) @ W + h @ U)
    return {"what": np.sum(h)}


def folded(layers=12):
    h = ag.Tensor(some(2, 4), name="x")
    x = h
    for k in range(layers):
        with ag.scope(f"layer {k + 1}"):
            h = np.tanh(h @ ag.Tensor(some(4, 4), name="W") + ag.Tensor(np.zeros(4), name="b"))
    return {"what": np.sum(h), "inputs": {"x": x}, "fold": True}


def not_a_number():
    x = ag.Tensor([0.0, 1.0, -1.0], name="x")
    with np.errstate(all="ignore"):
        return {"what": np.sum(np.log(x) * np.exp(x))}


def second_order():
    x = ag.Tensor([0.5, 1.0], name="x")
    return {"what": ag.hvp(lambda x: np.sum(x**3))(x, np.array([1.0, 0.0])), "names": {"x": x}}


def several_results():
    A = ag.Tensor([[2.0, 0.0], [0.0, 1.0]], name="A")
    _, s, _ = np.linalg.svd(A)
    return {"what": np.sum(s * 2.0)}


def selections():
    x = ag.Tensor([4.0, 1.0], name="x")
    return {"what": np.sum(np.where(x > 0, np.sqrt(x), 0.0)) + np.sum(np.concatenate([x, x])[1:3])}


def twice():
    """An operand used twice by one operation, and a constant that nobody kept."""
    x = ag.Tensor(some(3), name="x")
    return {"what": np.sum((x * x) - some(3, step=0.5))}


def odd_names():
    a = ag.Tensor(1.0, name='a "quoted" <b>&amp;\n\\ line')
    b = ag.Tensor(2.0, name="ŷ→日本𝛌")
    with ag.scope('m <"&\n>'):
        c = a * b
    c.name = "n7; }"
    return {"what": c + a, "outputs": {"]]> <script>alert(1)</script>": c}}


PROGRAMS = {
    f.__name__: f
    for f in (
        scalar,
        micrograd,
        mlp,
        residual,
        recurrent,
        folded,
        not_a_number,
        second_order,
        several_results,
        selections,
        twice,
        odd_names,
    )
}


def drawn(name, **more):
    """Return the picture of a program."""
    told = PROGRAMS[name]() | more
    return ag.draw(told.pop("what"), **told)
