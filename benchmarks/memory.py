"""Memory: bytes kept for the backward pass of an MNIST-sized network, and bytes a node of a long scalar chain.

Each question is asked in a fresh process.  Python's allocations, and NumPy's, are seen by `tracemalloc`; PyTorch and JAX
allocate elsewhere, so they are asked what they saved.
"""

import gc
import importlib
import tracemalloc

import numpy as np

from benchmarks.rows.networks import MNIST
from benchmarks.rows.scalars import Chain

WARM = type(MNIST)("warm", "a small one", (16, 8, 8, 4), 4, MNIST.activation)
PAIRS = 100_000


def kept(library):
    """Bytes kept between forward and backward, parameters and input not counted; None if there is no way to tell."""
    measure = KEPT.get(library)
    if measure is None:
        return None
    measure(with_data(WARM))  # whatever the library caches on first use
    return measure(with_data(MNIST))


def with_data(row):
    """Make the row's data and return the row."""
    row.make(np.random.default_rng(0))
    return row


def held(make):
    """Bytes still allocated for what `make()` returns, once it has returned."""
    gc.collect()
    tracemalloc.start()
    result = make()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return after


def kept_numpy(row):
    """Both hidden layers and the softmax: what the code by hand has in use when it turns round."""
    _, first, second, classes = row.sizes
    return row.batch * (first + second + classes) * np.dtype(row.dtype).itemsize


def kept_ours(row):
    """Keep only the loss."""
    import autograd_core as ag

    loss, params = row.words(np), [ag.Tensor(p) for p in row.params]
    return held(lambda: loss(*params, *row.data))


def kept_mygrad(row):
    """Keep only the loss."""
    import mygrad

    loss, params = row.mygrad_words(mygrad), [mygrad.tensor(p) for p in row.params]
    return held(lambda: loss(*params, *row.data))


def kept_autograd(row):
    """Keep only the function that pulls back."""
    import autograd

    loss = row.autograd_words(autograd.numpy)
    return held(lambda: autograd.make_vjp(lambda params: loss(*params, *row.data))(list(row.params))[0])


def kept_torch(row):
    """Distinct storages among the saved tensors."""
    import torch

    params = [torch.tensor(p, requires_grad=True) for p in row.params]
    data = [torch.tensor(d) for d in row.data]
    given = {t.untyped_storage().data_ptr() for t in params + data[:1]}
    storages, saved = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        saved.append(tensor)  # alive, so that no address is used twice
        if storage.data_ptr() not in given:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        row.torch_words(torch)(*params, *data)
    return sum(storages.values())


def kept_jax(row):
    """Distinct buffers among the residuals of `jax.vjp`."""
    import jax

    params, data = [[jax.numpy.asarray(a) for a in arrays] for arrays in (row.params, row.data)]
    given = {a.unsafe_buffer_pointer() for a in params + data[:1]}
    _, pull = jax.vjp(lambda params: row.jax_words(jax.numpy)(*params, *data), params)
    residuals = [leaf for leaf in jax.tree_util.tree_leaves(pull) if isinstance(leaf, jax.Array)]
    sizes = {a.unsafe_buffer_pointer(): a.nbytes for a in residuals}
    return sum(size for address, size in sizes.items() if address not in given)


KEPT = {
    "numpy": kept_numpy,
    "ours": kept_ours,
    "torch": kept_torch,
    "jax": kept_jax,
    "autograd": kept_autograd,
    "mygrad": kept_mygrad,
}


def nodes(library):
    """Bytes a node of a chain of 10^5 pairs, forward and backward: growth of the peak, by Python's count and the system's."""
    if library in ("numpy", "jax", "jit"):
        return None  # no nodes; minutes; no nodes
    style = importlib.import_module("benchmarks.styles.gradients")
    adapter = getattr(style, library)
    adapter(with_data(Chain("warm", "a short one", 1_000)))()
    step = adapter(with_data(Chain("long", "a long one", PAIRS)))
    answer = {"resident": peak_growth(step)}
    if library not in ("torch", "micrograd"):  # nodes that are not Python's; recursion, whose frames it would walk
        gc.collect()
        tracemalloc.start()
        step()
        _, answer["tracemalloc"] = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return {name: growth / (2 * PAIRS) for name, growth in answer.items() if growth is not None}


def peak_growth(step):
    """Bytes by which the resident set grows during a step; None where the system does not say."""
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as file:  # resets the peak
            file.write("5")
        before = resident("VmRSS")
        step()
        return resident("VmHWM") - before
    except OSError:
        return None


def resident(field):
    """One line of Linux's account of this process, in bytes."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024
