"""The libraries compared: their names, how to find them, what to set before they are used."""

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """One column of the table."""

    name: str  # the word for --libs, and the adapter's name in styles/
    module: str  # what is imported
    heading: str  # the column's heading

    def installed(self):
        """Whether the module can be found, without importing it."""
        return importlib.util.find_spec(self.module) is not None

    def prepare(self):
        """Import it, set it up as a careful user would, and say its version and its threads."""
        if self.module == "jax":
            os.environ.setdefault("JAX_PLATFORMS", "cpu")
        module = importlib.import_module(self.module)
        if self.module == "jax":
            module.config.update("jax_enable_x64", True)  # otherwise the float64 rows would be float32
        if self.module == "mygrad":
            module.turn_memory_guarding_off()  # its own advice for speed
        if self.module == "micrograd":
            sys.setrecursionlimit(10**6)  # its backward() recurses
        if self.name == "torch_compile":
            os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes beside the others
            limits = importlib.import_module("torch._dynamo.config")
            name = "recompile_limit" if hasattr(limits, "recompile_limit") else "cache_size_limit"
            setattr(limits, name, 64)  # of one code object, such as an optimizer's step, which all rows share here
            logging.disable(logging.WARNING)  # of its own profiler's hooks, and of its deprecated functions
            warnings.simplefilter("ignore")
        threads = module.get_num_threads() if self.module == "torch" else None
        return {"version": version(module), "threads": threads, "file": module.__file__}


def version(module):
    """Return the version of an imported module, as the installer knows it or as the module says."""
    try:
        return importlib.metadata.version(module.__name__)
    except importlib.metadata.PackageNotFoundError:
        return getattr(module, "__version__", "this checkout")


LIBRARIES = {
    library.name: library
    for library in [
        Library("numpy", "numpy", "NumPy"),
        Library("out", "numpy", "NumPy out="),
        Library("ours", "autograd_core", "ours"),
        Library("compiled", "autograd_core", "ours compiled"),
        Library("torch", "torch", "PyTorch"),
        Library("jax", "jax", "JAX"),
        Library("jit", "jax", "jax.jit"),
        Library("torch_compile", "torch", "torch.compile"),
        Library("autograd", "autograd", "autograd"),
        Library("mygrad", "mygrad", "MyGrad"),
        Library("micrograd", "micrograd", "micrograd"),
    ]
}
COMPILED = ("out", "compiled", "jit", "torch_compile")  # whose steps are made once and kept, since that takes a while
DEFAULT = [name for name in LIBRARIES if name not in COMPILED]
