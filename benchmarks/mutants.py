"""Is the checker any good? Spoil every pullback of the rule table, and see: `python -m benchmarks.mutants`, ten minutes.

Two kinds of mutants. What a pullback returns is spoilt: its sign, a factor, one entry by 1e-5, a part dropped, transposed,
a broadcast sum left out, its digits rounded to float32, the other branch of a selection, the other argument's pullback. And
its source is: an operand dropped or swapped, a sign or a comparison turned, an axis or another keyword left out, a transpose
dropped. Each mutant is given to `ag.gradcheck` at the samples of its operation from `tests/`; it is killed if one fails.
A mutant whose gradients are the original's at all samples cannot be seen by any checker, and is counted apart.
"""

import argparse
import ast
import collections
import contextlib
import copy
import functools
import inspect
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np

import autograd_core as ag
from autograd_core.rules import RULES, Present, _adapt

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import samples  # noqa: F401
from test_rules import FUNCTIONS, cases

# --- spoilt results ----------------------------------------------------------------------------------------------------


def one_entry(y):
    y = np.array(y)
    at = np.flatnonzero(y)
    if len(at):
        y.reshape(-1)[at[len(at) // 2]] *= 1 + 1e-5
    return y[()]


def transposed(y):
    if np.ndim(y) >= 2 and y.shape[-1] == y.shape[-2]:
        return np.swapaxes(y, -1, -2)
    return y[..., ::-1] if np.ndim(y) else y


def rounded(y):
    return y.astype(np.complex64 if y.dtype.kind == "c" else np.float32).astype(y.dtype)


def dropped(y):
    y = np.array(y)
    y.reshape(-1)[: (y.size + 1) // 2] = 0
    return y[()]


RESULTS = {
    "sign": lambda y, *_: -y,
    "factor 2": lambda y, *_: 2 * y,
    "factor 1.001": lambda y, *_: 1.001 * y,
    "one entry off by 1e-5": lambda y, *_: one_entry(y),
    "a part dropped": lambda y, *_: dropped(y),
    "transposed": lambda y, *_: transposed(y),
    "digits of float32": lambda y, *_: rounded(y),
    "missing broadcast sum": lambda y, g, p: first_of(y, p),
    "the other branch": lambda y, g, p: g - y if np.shape(g) == np.shape(y) else y,
}


def first_of(y, p):
    """Return the first of what ought to be added up to the shape of `p`."""
    if p is None or isinstance(p.shape, list) or np.shape(y) == p.shape or np.ndim(y) < len(p.shape):
        return y
    y = y[(0,) * (np.ndim(y) - len(p.shape))]
    return y[tuple(slice(0, 1) if n == 1 else slice(None) for n in p.shape)]


def spoilt(pull, i, how, op):
    """Return a pullback whose result is changed."""

    def mutant(g, n, *which):
        y = pull(g, n, *which)
        p = n.parents[which[0] if which else i]
        change = lambda y: (
            None if y is None else Present(how(y.g, g, p), y.mask) if type(y) is Present else how(y, g, p)
        )
        return [change(part) for part in y] if op.joint else change(y)

    mutant.__module__ = "autograd_core.ops"
    return mutant


@contextlib.contextmanager
def put(op, **attributes):
    """Give an operation other attributes for a while, and let only its pullbacks speak."""
    before = {name: getattr(op, name) for name in attributes}
    for name, value in attributes.items():
        setattr(op, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(op, name, value)


def mutants_of_results(op):
    """Yield (kind, what, context) for each way of spoiling what pullbacks return."""
    plain = {"into": None, "refill": None, "special": True}
    for i, pull in enumerate(op.pulls):
        if pull is None:
            continue
        for kind, how in RESULTS.items():
            if kind == "the other branch" and not op.selects:
                continue
            pulls = (*op.pulls[:i], spoilt(pull, i, how, op), *op.pulls[i + 1 :])
            yield kind, f"pullback {i}", put(op, pulls=pulls, **plain)
        if len(op.pulls) == 2 and op.pulls[1 - i] is not None and not op.joint:
            pulls = (*op.pulls[:i], op.pulls[1 - i], *op.pulls[i + 1 :])
            yield "the other argument's", f"pullback {i}", put(op, pulls=pulls, **plain)


# --- spoilt sources ----------------------------------------------------------------------------------------------------

OPPOSITE = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
TURNED = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.Lt, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
TRANSPOSES = {"mT", "swapaxes", "transpose", "moveaxis"}


def edits(node):
    """Yield (kind, new node) for each small change of a node of a syntax tree."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OPPOSITE:
            yield "sign or inverse", ast.BinOp(node.left, OPPOSITE[type(node.op)](), node.right)
            yield "dropped term", node.left
            yield "dropped term", node.right
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            yield "swapped operands", ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
        yield "sign or inverse", node.operand
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield "wrong branch", ast.Compare(node.left, [TURNED[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield "wrong branch", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Constant) and type(node.value) is float:
        yield "factor", ast.Constant(node.value * 1.001 if node.value else 0.001)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "dropped transpose", node.value
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in TRANSPOSES and node.args:
            yield "dropped transpose", node.args[0]
        if len(node.args) >= 2:
            yield "swapped arguments", ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
        if name in ("where", "present") and len(node.args) == 3:
            yield "wrong branch", ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)
        for k in range(len(node.keywords)):
            yield "dropped keyword", ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])


def raw(pull):
    """Return the function that was registered, from the one that hands it what it names."""
    closure = getattr(pull, "__closure__", None)
    found = closure[0].cell_contents if closure else None
    return found if isinstance(found, types.FunctionType) else None


@functools.cache
def tree_of(path):
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def definition(fn):
    """Return the syntax tree of a function, or None."""
    code = fn.__code__
    for node in ast.walk(tree_of(code.co_filename)):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if first == code.co_firstlineno and names == list(inspect.signature(fn).parameters):
                with contextlib.suppress(ValueError):
                    if compiled(node, fn).__code__.co_code == code.co_code:
                        return node
    return None


def compiled(node, fn):
    """Return a function like `fn` with another definition, in the same surroundings."""
    free = fn.__code__.co_freevars
    name = "mutant"
    if isinstance(node, ast.Lambda):
        body = [ast.Return(node)]
    else:
        node = copy.copy(node)
        node.decorator_list, node.name, node.returns = [], name, None
        body = [node, ast.Return(ast.Name(name, ast.Load()))]
    outer = ast.parse(f"def outer({', '.join(free)}): pass").body[0]
    outer.body = body
    module = ast.fix_missing_locations(ast.Module([outer], []))
    space = {}
    exec(compile(module, fn.__code__.co_filename, "exec"), fn.__globals__, space)
    found = space["outer"](*(cell.cell_contents for cell in fn.__closure__ or ()))
    found.__defaults__, found.__kwdefaults__ = fn.__defaults__, fn.__kwdefaults__
    return found


def variants(fn):
    """Yield (kind, source, function) for each small change of a function."""
    node = definition(fn)
    if node is None:
        return
    for target in ast.walk(node):
        for kind, replacement in edits(target):
            changed = replaced(node, target, replacement)
            with contextlib.suppress(ValueError, SyntaxError):
                text = f"{ast.unparse(target)} -> {ast.unparse(replacement)}"
                yield kind, " ".join(text.split())[:100], compiled(changed, fn)


def replaced(tree, target, replacement):
    class Swap(ast.NodeTransformer):
        def visit(self, node):
            return replacement if node is target else self.generic_visit(copy.copy(node))

        def generic_visit(self, node):
            for name, value in ast.iter_fields(node):
                if isinstance(value, list):
                    setattr(node, name, [self.visit(v) if isinstance(v, ast.AST) else v for v in value])
                elif isinstance(value, ast.AST):
                    setattr(node, name, self.visit(value))
            return node

    return Swap().visit(tree)


def mutants_of_source(op):
    """Yield (kind, what, context) for each change of the source of a pullback."""
    for i, pull in enumerate(op.pulls):
        fn = raw(pull) if pull is not None else None
        if fn is None:
            continue
        for kind, text, mutant in variants(fn):
            mutant.__module__ = fn.__module__
            pulls = (*op.pulls[:i], _adapt(op, mutant), *op.pulls[i + 1 :])
            yield kind, text, put(op, pulls=pulls, into=None, refill=None)


# --- the run -----------------------------------------------------------------------------------------------------------


def trials(fn):
    """Return the cases at which an operation is tried: its smooth samples in float64, and some complex ones."""
    found = [c for c in cases(fn, (np.float64,), True, 99) if c.x and sum(a.size for a in c.x)]
    return found + [c for c in cases(fn, (np.complex128,), True, 2) if c.x and sum(a.size for a in c.x)]


def killed(found):
    """Say whether any case tells a mutant from a right rule."""
    for case in found:
        try:
            if not ag.gradcheck(lambda *x, case=case: case.f(x), *case.x, raises=False):
                return True
        except Exception:
            return True
    return False


def gradients(found):
    """Return gradients at all cases, to see whether a mutant differs at all."""
    out = []
    for case in found:
        try:
            case.rng = np.random.default_rng(0)
            values, pull = ag.vjp(case.f, case.x)
            out += [np.asarray(g) for g in pull(case.like(values))]
        except Exception:
            out.append(None)
    return out


def same(a, b):
    return len(a) == len(b) and all(
        x is y or (x is not None and y is not None and x.shape == y.shape and np.allclose(x, y, rtol=1e-13, atol=1e-15))
        for x, y in zip(a, b, strict=True)
    )


def main(argv=None):
    """Run, print, and return the exit status: 1 if fewer than 99 % are killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="operations whose names hold this")
    parser.add_argument("--every", type=int, default=1, help="take every n-th mutant only")
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    parser.add_argument("--alike", action="store_true", help="print the mutants that make no difference, too")
    args = parser.parse_args(argv)
    counts = collections.defaultdict(collections.Counter)
    survivors, alike, sick, start, number = [], [], [], time.perf_counter(), 0
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        for fn in [f for f in FUNCTIONS if f in RULES and args.only in str(RULES[f].name)]:
            op, well, original = RULES[fn], None, None
            for kind, what, spoil in (*mutants_of_results(op), *mutants_of_source(op)):
                number += 1
                if number % args.every:
                    continue
                if well is None:
                    found = trials(fn)
                    well = [c for c in found if not killed([c])]
                    sick += [repr(c)[:100] for c in found if c not in well]
                    original = gradients(well)
                if not well:
                    break
                with spoil:
                    dead = killed(well)
                    no_other = not dead and same(gradients(well), original)
                counts[kind]["alike" if no_other else "killed" if dead else "survived"] += 1
                if args.progress and number % (100 * args.every) == 0:
                    print(f"{number:,} mutants, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
                if not dead:
                    (alike if no_other else survivors).append(f"{op.name}: {kind}: {what}")
    table(counts, time.perf_counter() - start)
    print("\nsurvivors:", *(survivors or ["none"]), sep="\n  ")
    if sick:
        print("\nsamples left out, where the original is not accepted:", *sick, sep="\n  ")
    if args.alike:
        print("\nmutants that make no difference at any sample:", *alike, sep="\n  ")
    total = sum(sum(c[k] for k in ("killed", "survived")) for c in counts.values())
    return int(sum(c["killed"] for c in counts.values()) < 0.99 * total)


def table(counts, seconds):
    """Print how many of each kind were killed."""
    print(f"{'mutation':24}{'killed':>9}{'survived':>10}{'rate':>9}{'no difference':>15}")
    total = sum(counts.values(), collections.Counter())
    for kind, c in [*sorted(counts.items()), ("all", total)]:
        seen = c["killed"] + c["survived"]
        rate = f"{100 * c['killed'] / seen:.2f} %" if seen else ""
        print(f"{kind:24}{c['killed']:>9,}{c['survived']:>10,}{rate:>9}{c['alike']:>15,}")
    print(f"{seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
