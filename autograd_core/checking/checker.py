"""`gradcheck`: is this gradient right, here, at these values, and if not, where does it go wrong?"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tree import flatten
from . import numeric
from .causes import likely
from .foreign import JaxFunction, TorchFunction, home
from .local import compare, find_wrong
from .pairs import Pair
from .programs import Array, Derivative, Function, Program, Traced
from .report import FAILURES, GradientError, InconclusiveWarning, Report
from .retrials import approximate, approximate_cause, depends_on_layout, difference_in_disguise, one_triangle
from .structure import Refusal, inspect, inspect_again
from .trial import Restructured, Trial

WHOLE = 256  # entries up to which each is looked at by itself


class Settings:
    """How strictly and how thoroughly to look, and a count of what was seen."""

    def __init__(self, rtol: float | None, kinks: str, noise: float, modes: Sequence[str], projections: int) -> None:
        self.rtol, self.kinks, self.noise = rtol, kinks, noise
        self.modes, self.projections = tuple(modes), projections
        self.enough = 12  # wrong entries after which nobody wants another
        self.brief = False  # say only whether it is right: no causes
        self.counts: dict[str, int] = {}

    def silent(self) -> Settings:
        """Return the same settings with a count of their own."""
        twin = copy.copy(self)
        twin.counts = {}
        return twin


def gradcheck(
    f: Callable[..., Any],
    *args: Any,
    wrt: Any = None,
    order: int = 1,
    modes: Sequence[str] | str = ("reverse", "forward"),
    gradient: Callable[..., Any] | None = None,
    rtol: float | None = None,
    kinks: str = "subgradient",
    seed: int = 0,
    raises: bool = True,
    full: bool | None = None,
    projections: int = 3,
    noise: float = 1.0,
) -> Report:
    """Compare the gradient of a function with differences of its values.

    Differences are taken at many steps and know their own error. A gradient is called wrong only if it disagrees by
    far more than that; what differences cannot see is called inconclusive, never right or wrong. There is no absolute
    tolerance: an entry of size 1e-12 is judged as strictly as one of size 1.

    Parameters
    ----------
    f : callable
        A function of Tensors (NumPy code), of PyTorch tensors or of JAX arrays; an `nn.Module`; or, with `gradient`,
        anything that takes and returns arrays. Nested containers are fine on both sides.
    *args
        Where to check. All floats among the arguments are differentiated by, and a module's parameters.
    wrt : int, Tensor, or list of them, optional
        By which arguments instead, and by which Tensors that `f` holds.
    order : int
        2 checks second derivatives too, by the gradient's own gradient.
    modes : sequence of {"reverse", "forward"}
        Forward mode is checked against reverse mode, to rounding.
    gradient : callable, optional
        The gradient on trial, if it is not the one of the library: called with the same arguments, it returns one array
        for each argument; for a function of more than one number, Jacobians of shape ``result.shape + argument.shape``.
    rtol : float, optional
        Allowed relative error of an entry: 1e-6, or 200 units in the last place for functions that compute in less than
        float64. Inputs in float32 are checked in float64, and the gradient in float32 is compared with that.
    kinks : {"subgradient", "skip", "forbid"}
        Where the slopes from the left and from the right differ: anything between them is right, or anything at all, or
        nothing.
    seed : int
        Of random directions.
    raises : bool
        Raise `GradientError` if something is wrong; otherwise return the report all the same.
    full : bool, optional
        Look at every entry, or at `projections` random combinations of them; by default at every one of up to 256.
    noise : float
        By how many units in the last place `f` is off by itself, if more than 1: an iterative solver.

    Returns
    -------
    Report
        True if nothing is wrong; printed, a short table.

    Examples
    --------
    >>> import autograd_core as ag
    >>> x = np.array([0.5, -1.2, 2.0])
    >>> ag.gradcheck(lambda x: np.sum(np.tanh(x) ** 2), x)
    gradcheck of <lambda>: ok (3 ok; 3 entries of x)
    >>> def df(x):
    ...     return 2 * np.tanh(x) * (1 - np.tanh(x))
    >>> ag.gradcheck(lambda x: np.sum(np.tanh(x) ** 2), x, gradient=df)
    Traceback (most recent call last):
    autograd_core.checking.report.GradientError: gradcheck of <lambda>: WRONG (3 wrong; 3 entries of x)
      derivative           at    got            expected                              ratio
      ...
    """
    options = {"wrt": wrt, "order": order, "modes": modes, "gradient": gradient, "rtol": rtol, "kinks": kinks}
    report = examined(f, args, **options, seed=seed, full=full, projections=projections, noise=noise)
    _finish(report, raises)
    return report


def examined(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    wrt: Any = None,
    order: int = 1,
    modes: Sequence[str] | str = ("reverse", "forward"),
    gradient: Callable[..., Any] | None = None,
    rtol: float | None = None,
    kinks: str = "subgradient",
    seed: int = 0,
    full: bool | None = None,
    projections: int = 3,
    noise: float = 1.0,
    brief: bool = False,
) -> Report:
    """Return the report of `gradcheck`; a brief one says only whether the gradient is wrong, and not why."""
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    _refuse_options(modes, kinks, order, rtol, projections, noise)
    functions: dict[str, Any] = {"f": f} if gradient is None else {"f": f, "gradient": gradient}
    for name, given in functions.items():
        if not callable(given):
            raise TypeError(f"gradcheck needs a function for {name}, not {type(given).__name__}")
    program = _program(f, args, wrt, gradient)
    settings = Settings(rtol, kinks, noise, modes, projections)
    if brief:
        settings.brief, settings.enough = True, 1
    report = Report(program.name, order=order, modes=modes, seed=seed, projections=projections)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        for level in range(1, order + 1):
            if level > 1:
                program = _derivative(program, report, seed)
                report.order = level
            _check(program, settings, report, np.random.default_rng(seed), full)
            if not report:
                break
    report.counts = settings.counts
    return report.settle()


def _refuse_options(
    modes: Sequence[str], kinks: str, order: int, rtol: float | None, projections: int, noise: float
) -> None:
    if not modes or set(modes) - {"reverse", "forward"}:
        raise ValueError(f"modes are 'reverse' and 'forward', not {modes!r}")
    if kinks not in ("subgradient", "skip", "forbid"):
        raise ValueError(f"kinks is 'subgradient', 'skip' or 'forbid', not {kinks!r}")
    counts: dict[str, Any] = {"order": order, "projections": projections}
    for name, n in counts.items():
        if not isinstance(n, int | np.integer) or n < 1:
            raise ValueError(f"{name} is a whole number from 1, not {n!r}")
    for name, number in (("rtol", rtol), ("noise", noise)):
        if number is not None and not 0 < number < np.inf:
            raise ValueError(f"{name} is a positive number, not {number!r}")


def _program(f: Any, args: tuple[Any, ...], wrt: Any, gradient: Any) -> Program:
    if gradient is not None:
        return Pair(f, gradient, args, wrt)
    homes = {home(f), *map(home, flatten(args)[0])}
    if "torch" in homes:
        return TorchFunction(f, args, wrt)
    return JaxFunction(f, args, wrt) if "jax" in homes else Function(f, args, wrt)


def _derivative(program: Program, report: Report, seed: int) -> Program:
    rng = np.random.default_rng(seed + 1)
    results = program.values([s.value for s in program.slots])
    if isinstance(program, Traced):
        return Derivative(program, results, rng)
    if isinstance(program, TorchFunction | JaxFunction):
        return program.derivative(results, rng)
    raise TypeError(f"order={report.order + 1} needs a function to differentiate twice: pass the gradient as f")


def _check(program: Program, settings: Settings, report: Report, rng: np.random.Generator, full: bool | None) -> None:
    """Check one order; write into the report what was found."""
    given = [s.value for s in program.slots]
    report.inputs = tuple(s.name for s in program.slots)
    try:
        pulled = inspect(program, given, rng)
        trial = _trial(program, given, rng, settings)
        report.size, report.rtol = trial.x.size, trial.rtol
        report.full = trial.x.size <= WHOLE if full is None else full
        if not trial.x.size or not trial.y.size:
            report.message = "the arrays are empty: only shapes and dtypes could be checked, and they are right"
            return
        entries = compare(trial, settings.modes, report.full)
        report.message = one_triangle(trial, entries)
        inspect_again(program, given, pulled)
    except Refusal as refusal:
        report.verdict, report.message = refusal.verdict, str(refusal)
        return
    except Restructured as error:
        report.verdict, report.message = "structure", str(error)
        return
    report.evaluations += trial.evaluations
    report.entries += sorted(entries, key=lambda e: -_off(e))
    if trial.raised is not None and any(e.verdict not in ("ok", "triangle") for e in entries):
        why = f"{type(trial.raised).__name__}: {trial.raised}"
        report.message = f"near the point the function raises {why}; such values were left out"
    if not report.wrong:
        _lower_precision(program, given, trial, settings, report)
    if any(e.verdict != "triangle" for e in report.wrong):
        _explain(program, trial, settings, report)


def _trial(program: Program, given: list[Array], rng: np.random.Generator, settings: Settings) -> Trial:
    """Return a trial in float64, or in the arguments' own dtype if the function does not take float64."""
    wide = [x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in given]
    try:
        return Trial(program, wide, rng, settings)
    except Exception:
        if all(a.dtype == b.dtype for a, b in zip(wide, given, strict=True)):
            raise
        return Trial(program, given, rng, settings)


def _off(e: Any) -> float:
    if not np.isfinite(e.got):
        return float("inf")
    scale = max(abs(e.got), abs(e.expected))
    return abs(e.got - e.expected) / scale if scale and np.isfinite(scale) else 0.0


def _lower_precision(
    program: Program, given: Sequence[Array], trial: Trial, settings: Settings, report: Report
) -> None:
    """Compare the gradient in the arguments' own dtype with the one in float64, which has been found right."""
    unit = max(float(np.finfo(x.dtype).eps) for x in given)
    if unit <= trial.unit or "reverse" not in settings.modes:
        return
    w = trial.weights()
    exact = trial.gradient(program.pull(trial.xs)[1], w)
    low = copy.copy(trial)
    low.xs = list(given)
    results, pull = program.pull(given)
    low.shapes = [(r.shape, r.dtype) for r in results]
    found = low.gradient(pull, w)
    tolerance = settings.rtol or 200 * unit
    for part in trial.inputs.parts:
        a, n = found[part], exact[part]
        # Sums that cancel lose digits: entries are measured on the scale of their array, too.
        allowed = tolerance * np.maximum(np.abs(n), np.max(np.abs(n), initial=0.0))
        allowed = allowed + 256 * unit * float(np.sum(np.abs(w * trial.y))) / trial.scale[part]
        for j in np.flatnonzero(~(np.abs(a - n) <= allowed))[:8]:
            report.entries.append(trial.entry_of(part.start + int(j), float(a[j]), float(n[j]), float(allowed[j])))
            trial.count("wrong")
            report.cause = (
                f"right in float64 but not in {np.dtype(given[0].dtype).name}: overflow, or digits lost inside"
            )


def _explain(program: Program, trial: Trial, settings: Settings, report: Report) -> None:
    """Add the first wrong operation and a likely cause; take back what only a kink inside has made wrong."""
    disguise = ""
    if isinstance(program, Traced):
        guilty = settings.silent()
        guilty.modes, guilty.enough = (report.wrong[0].mode,), 1
        report.blame, kinks = find_wrong(program, trial.xs, trial.rng, guilty)
        if kinks and not report.blame and settings.kinks != "forbid" and _right_nearby(program, trial, settings):
            _become(trial, report, "kink")
            report.message = (
                "operations inside stand on kinks, where their slopes do not add up; beside them all is right"
            )
            return
        if isinstance(program, Function) and "reverse" in settings.modes:
            w = trial.weights()
            found = program.pull(trial.xs)[1](trial.cotangents(w))
            report.detached = tuple(s.name for s, g in zip(program.slots, found, strict=True) if g is None)
        disguise = next((b.difference for b in report.blame), "")
    if settings.brief:
        return
    report.cause = report.cause or depends_on_layout(trial, report.wrong)
    if report.cause:
        return
    disguise = disguise or difference_in_disguise(trial, report.wrong)
    report.accuracy = approximate([e for e in report.wrong if e.verdict != "triangle"], disguise)
    if report.accuracy is not None:
        _become(trial, report, "approximate")
        report.cause = approximate_cause(report.accuracy, disguise)
        return
    if disguise:
        report.cause = approximate_cause(1.0, disguise)
        return
    sizes = {s.name: s.value.size for s in program.slots}
    report.cause = likely(report, sizes, *_one_array(program, trial, report))


def _become(trial: Trial, report: Report, verdict: str) -> None:
    """Give all that is wrong another verdict."""
    for e in report.wrong:
        if e.verdict != "triangle":
            trial.count(e.verdict, -1)
            trial.count(verdict)
            e.verdict = verdict


def _right_nearby(program: Program, trial: Trial, settings: Settings) -> bool:
    """Say whether the derivative is right at points a millionth beside this one."""
    for _ in range(2):
        beside = Trial(program, trial.moved(1e-6 * trial.direction()), trial.rng, settings.silent())
        if any(e.verdict in FAILURES for e in compare(beside, settings.modes, True)):
            return False
    return True


def _one_array(program: Program, trial: Trial, report: Report) -> tuple[Any, Any]:
    """Return the claimed and the measured gradient of the array with the worst entry, if they are cheap to have."""
    worst = report.wrong[0]
    if worst.column is None or worst.mode != "reverse" or trial.x.size > WHOLE or trial.y.size > 64:
        return None, None
    k, _ = trial.inputs.find(worst.column)
    x = trial.xs[k]
    if x.dtype.kind == "c":
        return None, None
    w = np.eye(trial.y.size)[worst.row or 0] if worst.row is not None else trial.weights()
    claimed = trial.gradient(program.pull(trial.xs)[1], w)
    part = trial.inputs.parts[k]
    measured = [
        float(w @ numeric.quick(trial.along_entry(j), numeric.power_of_two(1e-3 * trial.scale[j])))
        for j in range(part.start, part.stop)
    ]
    return claimed[part].reshape(x.shape), np.reshape(measured, x.shape)


def _finish(report: Report, raises: bool) -> None:
    if not raises:
        return
    if not report:
        raise GradientError(report)
    if report.counts.get("inconclusive") and not report.judged():
        report.message = report.message or "not one derivative could be judged: check at another point, or scale"
        raise GradientError(report)
    if report.counts.get("inconclusive"):
        warnings.warn(str(report), InconclusiveWarning, stacklevel=3)
