"""``python -m autograd_core``: which versions there are, and what of the optional parts this machine has."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from typing import Any

import numpy as np

import autograd_core as ag

EXTRAS = {
    "viz": ("pygraphviz",),
    "plots": ("matplotlib",),
    "nn": ("safetensors", "tqdm", "scikit-learn"),
    "check": ("hypothesis",),
    "scipy": ("scipy",),
    "notebook": ("jupyterlab", "nbclient"),
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def main() -> None:
    """Print it all, a fact a line."""
    facts = {
        "autograd-core": ag.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "NumPy": np.__version__,
        "BLAS": blas(),
        "threads": threads(),
        "Graphviz": graphviz(),
    }
    facts |= {f"[{extra}]": ", ".join(version(name) for name in names) for extra, names in EXTRAS.items()}
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")


def version(name: str) -> str:
    """Return a package's name and version, or that it is missing.

    Examples
    --------
    >>> version("no-such-package")
    'no-such-package missing'
    """
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} missing"


def blas() -> str:
    """Return the name and version of the library that multiplies matrices for NumPy."""
    config: Any = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


def threads() -> str:
    """Return how many processors there are, and what the environment says about using them."""
    said = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    return ", ".join([f"{os.cpu_count()} processors", *said])


def graphviz() -> str:
    """Return which layout engine pictures will use, as `ag.draw` looks for it: the program, then the wheel."""
    program = shutil.which("dot")
    if program is not None:
        try:
            said = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10).stderr.strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"dot is there but does not run: {error}"
        return said.removeprefix("dot - ")
    try:
        return f"pygraphviz {metadata.version('pygraphviz')}"
    except metadata.PackageNotFoundError:
        return "no dot program and no pygraphviz: pictures are text trees (pip install 'autograd-core[viz]')"


if __name__ == "__main__":
    main()
