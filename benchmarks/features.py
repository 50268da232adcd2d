"""What each library can do, found out by trying: `python -m benchmarks.features [--markdown] [--calls]`.

A row is a small program in the words of each library. It passes if it returns True; an exception or a wrong number is a
no; where a library has no words for it at all, there is a dash. Threads, garbage and long chains are tried for real.
The first row counts the calls of `benchmarks/calls.py`, the next three the functions of `benchmarks/orders.py`; `--calls`
lists those of ours, and of others, that are not right.
"""

import argparse
import gc
import importlib.metadata
import importlib.util
import threading
import warnings

import numpy as np

NAMES = {
    "ours": "autograd_core",
    "PyTorch": "torch",
    "JAX": "jax",
    "autograd": "autograd",
    "MyGrad": "mygrad",
    "micrograd": "micrograd",
}


def close(a, b):
    """Are these the same numbers?"""
    return np.allclose(np.asarray(a, float), b, rtol=1e-4, atol=1e-8)


# Each library as `gradient(f, x)`: of a function written with plain `numpy`, or with the library's own namespace.


def leaf_style(make, backward=lambda y: y.backward()):
    """Return a gradient out of tensors with `backward()` and `grad`."""

    def gradient(f, x):
        t = make(x)
        y = f(t)
        backward(y)
        return t.grad.data if hasattr(t.grad, "data") and not isinstance(t.grad, np.ndarray) else t.grad

    return gradient


def libraries():
    """Return (gradient, own namespace) of whatever is installed."""
    found = {}
    if importlib.util.find_spec("autograd_core"):
        import autograd_core as ag

        found["ours"] = (lambda f, x: ag.grad(f)(x), np)
    if importlib.util.find_spec("torch"):
        import torch

        found["PyTorch"] = (leaf_style(lambda x: torch.tensor(x, requires_grad=True)), torch)
    if importlib.util.find_spec("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        found["JAX"] = (lambda f, x: jax.grad(f)(x), jax.numpy)
    if importlib.util.find_spec("autograd"):
        import autograd

        found["autograd"] = (lambda f, x: autograd.grad(f)(x), autograd.numpy)
    if importlib.util.find_spec("mygrad"):
        import mygrad

        found["MyGrad"] = (leaf_style(mygrad.tensor), mygrad)
    if importlib.util.find_spec("micrograd"):
        from micrograd.engine import Value

        found["micrograd"] = (leaf_style(Value), None)
    return found


def median(_, gradient, own):
    """`median`, whatever namespace it is in."""
    if own is None:
        return None
    return close(gradient(own.median, np.array([3.0, 1.0, 2.0])), [0, 0, 1])


def assignment(_, gradient, own):
    """`y[0] = t`, with a gradient."""

    def f(x):
        y = x * 10.0
        y[0] = x[1]
        return (y * y).sum()

    return None if own is None else close(gradient(f, np.array([1.0, 2.0])), [0, 404])


def branch(_, gradient, own):
    """`where(x > 0, sqrt(x), 0)` at 0 without NaN."""
    if own is None:
        return None
    return close(gradient(lambda x: own.where(x > 0, own.sqrt(x), 0.0 * x).sum(), np.array([0.0, 4.0])), [0, 0.25])


def norm(_, gradient, own):
    """The norm of a zero vector without NaN."""
    if own is None:
        return None
    return close(gradient(lambda x: own.linalg.norm(x), np.zeros(3)), np.zeros(3))


def captured(name, gradient, own):
    """A captured array changed before the backward pass: the right gradient, or an error."""
    if own is None:
        return None
    c = own.tensor([1.0, 1.0]) if name == "PyTorch" else np.array([1.0, 1.0])  # what it takes beside its own arrays

    def f(x):
        y = (x * c).sum()
        c[:] = 25.0
        return y

    try:
        return close(gradient(f, np.array([1.0, 2.0])), [1, 1])
    except (ValueError, RuntimeError):
        return True


def chain(name, gradient, own):
    """A chain of 100,000 operations, forward and backward."""
    if name == "JAX":
        return None  # works, in minutes

    def f(x):
        for _ in range(100_000):
            x = x * 1.0
        return x

    return close(gradient(f, 1.0), 1)


def refcounts(_, gradient, own):
    """Graphs are freed without the garbage collector."""
    gradient(lambda x: x * x, 1.0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            gradient(lambda x: ((x * x) * x + x) * 2.0, 1.0)
        return gc.collect() < 50
    finally:
        gc.enable()


def threads(name, gradient, own):
    """Nested gradients in 8 threads, 200 times each."""
    if name in ("MyGrad", "micrograd"):
        return None
    number = float
    if name == "PyTorch":  # its functional style; leaves and backward() do not nest
        gradient, number = (lambda f, x: own.func.grad(f)(x)), own.tensor
    wrong = []

    def work():
        for _ in range(200):
            try:
                if not close(gradient(lambda x: x * gradient(lambda y: x * y * y, number(3.0)), number(2.0)), 24):
                    wrong.append(1)
            except Exception as error:
                wrong.append(error)

    pool = [threading.Thread(target=work) for _ in range(8)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    return not wrong


def tiny_wrong(name, gradient, own):
    """Its gradient checker, as it comes, notices a wrong sign in `1e-6 * x`, 20 times of 20."""
    found = [tiny_wrong_once(name, own) for _ in range(20)]  # some checkers draw directions at random
    return None if None in found else all(found)


def tiny_wrong_once(name, own):
    """Does it notice?"""
    if name == "ours":
        import autograd_core as ag

        return not ag.gradcheck(lambda x: 1e-6 * x, np.array(0.3), gradient=lambda x: np.array(-1e-6), raises=False)
    if name == "PyTorch":

        class Wrong(own.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return 1e-6 * x

            @staticmethod
            def backward(ctx, g):
                return -1e-6 * g

        x = own.tensor(0.3, dtype=own.float64, requires_grad=True)
        return not own.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)
    if name == "JAX":
        import jax
        from jax.test_util import check_grads

        @jax.custom_vjp
        def f(x):
            return 1e-6 * x

        f.defvjp(lambda x: (1e-6 * x, None), lambda _, g: (-1e-6 * g,))
        return raises(lambda: check_grads(f, (0.3,), 1, modes=["rev"]))
    if name == "autograd":
        from autograd.extend import defvjp
        from autograd.extend import primitive as mark
        from autograd.test_util import check_grads

        f = mark(lambda x: 1e-6 * x)
        defvjp(f, lambda ans, x: lambda g: -1e-6 * g)
        return raises(lambda: check_grads(f, modes=["rev"], order=1)(0.3))
    return None


def through_a_view(_, gradient, own):
    """`y[1:][0] = t`, with a gradient."""
    if own is None:
        return None

    def f(x):
        y = x * 10.0
        y[1:][0] = x[0]
        return (y * y).sum()

    return close(gradient(f, np.array([1.0, 2.0])), [202, 0])


def bfloat16(name, gradient, own):
    """Gradients in `bfloat16`."""
    if own is None:
        return None
    if name == "PyTorch":
        x = own.ones(2, dtype=own.bfloat16, requires_grad=True)
        (x * x).sum().backward()
        return x.grad.dtype == own.bfloat16 and close(x.grad.float(), [2, 2])
    import ml_dtypes

    x = np.ones(2, ml_dtypes.bfloat16)
    found = gradient(lambda x: (x * x).sum(), own.asarray(x) if name == "JAX" else x)
    return found.dtype == x.dtype and close(found, [2, 2])


def raises(f):
    """Does it say that something is wrong?"""
    try:
        f()
    except Exception:
        return True
    return False


CAN = [
    median, assignment, branch, norm, captured, chain, refcounts, threads, tiny_wrong,
]  # fmt: skip
CANNOT = [through_a_view, bfloat16]  # ours
ROWS = [*CAN, *CANNOT]
SIGNS = {True: "yes", False: "no", None: "–"}


def attempt(row, name, gradient, own):
    """Run one program, whatever happens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = row(name, gradient, own)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return False
    return None if found is None else bool(found)


def version(package):
    """Return an installed package's version; a checkout need not be installed."""
    try:
        return importlib.metadata.version(package.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return ""


def table():
    """Return the head and the rows as strings."""
    found = libraries()
    head = ["", *(f"{n} {version(NAMES[n])}".strip() for n in found)]
    rows = counted(found) + [
        [row.__doc__.splitlines()[0].rstrip("."), *(SIGNS[attempt(row, n, *found[n])] for n in found)] for row in ROWS
    ]
    return head, rows


def counted(found):
    """Return the rows of counts; micrograd has no arrays."""
    from benchmarks import calls, orders

    title = f"Of {len(calls.calls())} calls through plain `numpy`: right / raises / wrong"
    cells = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for gradient, own in found.values():
            cells.append(SIGNS[None] if own is None else " / ".join(map(str, calls.count(gradient)[0])))
        return [[title, *cells], *orders.rows(list(found))]


def list_calls():
    """Print what is not right, library by library."""
    from benchmarks import calls, orders

    for name, (gradient, own) in libraries().items():
        for call, kind in calls.count(gradient)[1].items() if own is not None else ():
            print(f"{name:10} {kind:7} {call}")
        for way, found in orders.judged(name).items():
            for call, kind in found.items():
                if kind != "right":
                    print(f"{name:10} {kind:7} {way:7} {call}")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--calls", action="store_true", help="list the calls that are not right")
    given = parser.parse_args()
    if given.calls:
        list_calls()
        return
    markdown = given.markdown
    head, rows = table()
    if markdown:
        lines = ["| " + " | ".join(r) + " |" for r in (head, ["---"] * len(head), *rows)]
    else:
        widths = [max(len(r[i]) for r in (head, *rows)) for i in range(len(head))]
        lines = ["  ".join(f"{c:{w}}" for c, w in zip(r, widths, strict=True)).rstrip() for r in (head, *rows)]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
