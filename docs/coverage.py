"""Write coverage.md: what a Tensor gets from every public function of NumPy.

Run as ``python docs/coverage.py``; tests/test_numpy_audit.py compares the committed page with what this would write.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np

from autograd_core.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

PAGE = Path(__file__).with_name("coverage.md")
SERIES = ".".join(np.__version__.split(".")[:2])
NAMESPACES = {
    "numpy": np,
    "numpy.linalg": np.linalg,
    "numpy.fft": np.fft,
    "numpy.emath": np.emath,
    "numpy.lib.stride_tricks": np.lib.stride_tricks,
}
ELSEWHERE = {  # functions that NumPy writes with functions it lets be overridden
    "numpy.row_stack": "differentiable (composed)",
    "numpy.lib.stride_tricks.broadcast_shapes": "constant",
}
NOT_MEANT = {  # not functions of arrays, whatever they are given
    "numpy.test",
    "numpy.linalg.test",
    "numpy.fft.test",
}
SCIPY = """
## SciPy

Where SciPy is installed, its functions take part; they are registered when one of them first meets a Tensor, and
`import autograd_core` does not load SciPy.

- **Ufuncs** of `scipy.special` take Tensors as they are: error, gamma, beta, Bessel, Airy, Kelvin, Struve and elliptic
  functions, exponential integrals, hypergeometric functions, orthogonal polynomials, distribution functions and their
  inverses, `expit logit log_expit xlogy xlog1py entr rel_entr kl_div huber boxcox` and others. A derivative that has no
  closed form, by the order of a Bessel function, the shape of `gammainc` or the degree of a polynomial, is refused when it
  is asked for. Mathieu and spheroidal functions, Carlson's integrals, Riemann's zeta function and the non-central
  distributions are refused.
- **Other functions** ask no Tensor, and say so in their error. `ag.primitive` makes them ask:
  `softmax = ag.primitive(scipy.special.softmax)`. There are rules for `logsumexp softmax log_softmax polygamma
  multigammaln` of `scipy.special`, `expm logm sqrtm solve_triangular cho_solve solve_sylvester` of `scipy.linalg`, and
  `convolve correlate fftconvolve oaconvolve` of `scipy.signal`. What NumPy has too, such as `scipy.linalg.inv`, is
  refused with its name.
- **Sparse matrices** multiply Tensors of one or two axes from either side, `S @ t` and `t @ S`; S is a constant.
- `scipy.special.softplus`, `sinc` and `jvp` are made of functions that take Tensors, and do too.
"""


def public_functions() -> dict[str, Any]:
    """Return NumPy's public functions under their names: no classes, no modules, no test runners."""
    found = {}
    for space, module in NAMESPACES.items():
        for name in sorted(dir(module)):
            value = getattr(module, name)
            full = f"{space}.{name}"
            if name.startswith("_") or isinstance(value, type | types.ModuleType) or not callable(value):
                continue
            if full not in NOT_MEANT:
                found[full] = value
    return found


def classify(name: str, fn: Any) -> tuple[str, str]:
    """Return the class of a function, empty if it has none, and for a refused one the sentence it is refused with."""
    if fn in RULES:
        return "differentiable (rule)", ""
    if fn in COMPOSITES:
        return "differentiable (composed)", ""
    if fn in CONSTANTS:
        return "constant", ""
    if fn in REFUSED or getattr(fn, "__module__", None) in REFUSED:
        return "refused", REFUSED.get(fn) or REFUSED[fn.__module__]
    return ELSEWHERE.get(name, ""), ""


def page() -> str:
    """Return the whole page."""
    table = {name: classify(name, fn) for name, fn in public_functions().items()}
    kinds = [kind for kind, _ in table.values()]
    lines = [
        "# What a Tensor gets from NumPy",
        "",
        f"Every public function of NumPy {SERIES}, from the tables the library itself reads; `python docs/coverage.py` writes",
        "this page. A *differentiable* function has a rule of its own or is composed of functions that have one. A *constant*",
        "has no gradient by nature and returns plain arrays. What makes no sense for a Tensor is *refused*, with the sentence",
        "beside it.",
        "",
        f"{len(table)} functions: {kinds.count('differentiable (rule)')} ruled, {kinds.count('differentiable (composed)')} composed, "
        f"{kinds.count('constant')} constant, {kinds.count('refused')} refused.",
        "",
        "The methods of every differentiable ufunc are differentiable too: `reduce`, `accumulate`, `outer`, `reduceat`, `at`.",
        "Functions of strings (`numpy.strings`, `numpy.char`) and of records (`numpy.lib.recfunctions`) are refused.",
        "",
        *SCIPY.strip().splitlines(),
    ]
    for space in NAMESPACES:
        rows = {k: v for k, v in table.items() if k.rpartition(".")[0] == space}
        lines += ["", f"## {space}", "", "| function | class |", "|---|---|"]
        for name, (kind, why) in sorted(rows.items(), key=lambda row: row[0].casefold()):
            lines.append(f"| `{name.rpartition('.')[2]}` | {kind}{f': {why}' if why else ''} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
