"""Module: what has parameters and a forward pass. Attributes are plain; parameters are found by walking them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

import autograd_core as ag

from .functional.given import cannot_hold

Path = tuple[Any, ...]


class Module:
    """A part of a network: assign Tensors and other Modules to attributes, and write `forward`.

    Lists, tuples and dicts of them count too. A tracked leaf among the Tensors is a parameter; an untracked one is part
    of the state that is saved, but not trained. There is nothing to register and no `super().__init__()` to call.

    Examples
    --------
    >>> import numpy as np
    >>> class Scale(Module):
    ...     def __init__(self, n):
    ...         self.factor = ag.Tensor(np.ones(n))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale(2)
    >>> model(np.array([3.0, 4.0]))
    Tensor([3., 4.], op=multiply)
    >>> [name for name, p in model.named_parameters()]
    ['factor']
    """

    training: bool = True
    _name: str | None = None
    _frozen: tuple[str, ...] = ()  # names of its own parameters that are not to be trained
    _twin: _Twin | None = None  # how it was put together around other parameters, if it was

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let every kind of Module stand in trees: its leaves are its parameters."""
        super().__init_subclass__(**kwargs)
        ag.register_tree(cls, _take_apart, _put_together)

    def __call__(self, *args: Any, **kwargs: Any) -> ag.Tensor:
        """Call `forward` inside a scope of the name under which this Module is held."""
        with ag.scope(self._name or self._named()):
            return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every Module has its own."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x)")

    # --- what it holds ------------------------------------------------------------------------------------------------

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """Return what to look for Tensors and Modules in, with names."""
        return vars(self).items()

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Yield the Tensors and Modules that this one holds itself, with names."""
        extra = self._twin.known() if self._twin else frozenset()
        for name, value in self._attributes():
            yield from _unfold(name, value, (), extra)

    def modules(self) -> Iterator[Module]:
        """Yield this Module and all below it, each once, holders first."""
        yield self
        yield from (m for _, m in _walk(self, "", {id(self)}) if isinstance(m, Module))

    def named_parameters(self) -> Iterator[tuple[str, ag.Tensor]]:
        """Yield dotted names and parameters; a shared one once, under the first of its names."""
        extra = self._twin.known() if self._twin else frozenset()
        for name, t in _walk(self, "", {id(self)}):
            if id(t) in extra or (isinstance(t, ag.Tensor) and t.requires_grad and t.is_leaf):
                yield name, t

    def parameters(self) -> Iterator[ag.Tensor]:
        """Yield the parameters, each once."""
        return (p for _, p in self.named_parameters())

    def num_parameters(self) -> int:
        """Return how many numbers there are to train."""
        return sum(int(np.size(_values(p))) for p in self.parameters())

    def _named(self) -> str:
        """Tell the Modules below their names, and return our own: nobody who holds us has told us one."""
        for _ in self.modules():
            pass
        self._name = type(self).__name__
        return self._name

    def __ag_state__(self, names: Any, whole: bool) -> Iterator[Any]:
        """Yield what a compiled function rests on, besides what the code of its own Modules reads."""
        yield functools.partial(getattr, self, "training")
        for name in list(vars(self)) if whole else ():
            if name[0] != "_" and name != "training":
                yield functools.partial(getattr, self, name)

    # --- training and evaluation --------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch this Module and all below it to training: `self.training` says so to those that behave differently."""
        for m in self.modules():
            m.training = mode
        return self

    def eval(self) -> Self:
        """Switch this Module and all below it to evaluation."""
        return self.train(False)

    def freeze(self, frozen: bool = True) -> Self:
        """Stop training all parameters, which stay part of the state, and lose their gradients; or go on with it.

        Examples
        --------
        >>> import nn
        >>> model = nn.MLP([2, 3, 1], rng=0)
        >>> model.layers[0].freeze()
        Linear  weight (3, 2) fixed, bias (3,) fixed  0 parameters
        >>> [name for name, _ in model.named_parameters()]
        ['2.weight', '2.bias']
        """
        for m in self.modules():
            chosen = [(n, t) for n, t in m._parts() if isinstance(t, ag.Tensor) and t.requires_grad == frozen]
            if frozen:
                m._frozen = (*m._frozen, *(name for name, t in chosen if t.is_leaf))
            for name, t in chosen:
                if name in m._frozen:
                    t.requires_grad = not frozen
            if not frozen:
                m._frozen = ()
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    # --- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return copies of all values by dotted name; a shared Tensor under each of its names, as PyTorch has it."""
        return {name: np.array(_values(t)) for name, t in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> Self:
        """Give every Tensor the values that `state` has under its name; if anything does not fit, change nothing."""
        own = self._state()
        if not all(isinstance(t, ag.Tensor) and t.is_leaf for t in own.values()):
            raise TypeError(
                f"this {type(self).__name__} holds the results of a transform; ag.map_tree(ag.Tensor, "
                f"ag.stop_gradient(model)) makes one that can be loaded into"
            )
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is a mapping from names to arrays, not a {type(state).__name__}")
        plain = {name: v.detach() if hasattr(v, "detach") else v for name, v in state.items()}  # PyTorch's, and ours
        values = {name: np.asarray(v) for name, v in plain.items()}
        wrong = [f"{name} is missing" for name in own if name not in values]
        wrong += [f"{name} is not in the model" for name in values if name not in own]
        first: dict[int, str] = {}
        for name, t in own.items():
            if name in values:
                wrong += _misfits(name, t, values, first.setdefault(id(t), name))
        if wrong:
            more = f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            raise ValueError(f"the state does not fit {type(self).__name__}: {'; '.join(wrong[:8])}{more}")
        with ag.all_or_nothing(*own.values()), np.errstate(under="ignore"):
            for name, t in own.items():
                t.assign(values[name])
        return self

    def _state(self) -> dict[str, Any]:
        """Return all leaves by name."""
        found: dict[str, Any] = {}
        extra = self._twin.known() if self._twin else frozenset()
        for name, t in _walk(self, "", None, (id(self),)):
            if (isinstance(t, ag.Tensor) and t.is_leaf) or id(t) in extra:
                if name in found:
                    raise ValueError(
                        f"two Tensors of {type(self).__name__} have the name {name}: a key of a dict with a dot in it?"
                    )
                found[name] = t
        return found

    def __repr__(self) -> str:
        total = self.num_parameters()
        rows = [
            (type(self).__name__, _shapes(self), f"{total:,} parameter{'s' * (total != 1)}"),
            *_rows(self, "  ", {id(self)}),
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in rows)


def _unfold(
    name: str, value: Any, above: tuple[int, ...], extra: frozenset[int] = frozenset()
) -> Iterator[tuple[str, Any]]:
    """Yield the Tensors and Modules in a value, and what else is meant by `extra`: itself, or in nested containers."""
    if isinstance(value, ag.Tensor | Module) or id(value) in extra:
        yield name, value
    elif isinstance(value, dict | list | tuple) and id(value) not in above:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unfold(f"{name}.{key}", part, (*above, id(value)), extra)


def _walk(module: Module, prefix: str, seen: set[int] | None, above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield dotted names with all Tensors and Modules below one, and tell the Modules their own names.

    With `seen` each comes once; without, as often as it is held, and only circles are cut (`above`).
    """
    for name, part in module._parts():
        if id(part) in (above if seen is None else seen):
            continue
        if seen is not None:
            seen.add(id(part))
        yield prefix + name, part
        if isinstance(part, Module):
            part._name = name
            yield from _walk(part, f"{prefix}{name}.", seen, (*above, id(part)))


def _values(t: Any) -> Any:
    """Return the values of a Tensor, or of what stands for one in a twin."""
    return t.data if isinstance(t, ag.Tensor) else t


def _misfits(name: str, t: ag.Tensor, values: Mapping[str, Any], first: str) -> Iterator[str]:
    """Yield why the values under a name cannot become those of a Tensor, which is also known under its `first` name."""
    value = values[name]
    if value.shape != t.shape:
        yield f"{name} has shape {value.shape}, expected {t.shape}"
    elif value.dtype.kind not in ("biufc" if t.dtype.kind == "c" else "biuf"):
        yield f"{name} has dtype {value.dtype}, expected {t.dtype}"
    elif first != name and first in values and not np.array_equal(value, values[first], equal_nan=True):
        yield f"{name} and {first} are the same Tensor but have different values"
    elif what := cannot_hold(t.dtype, value):
        yield f"{name} has {what}"


def _rows(module: Module, indent: str, seen: set[int]) -> Iterator[tuple[str, str, str]]:
    """Yield the lines of a diagram: name and kind, shapes, number of parameters."""
    for name, part in module._attributes():
        if callable(part) and not isinstance(part, ag.Tensor | Module):
            yield f"{indent}{name}: {getattr(part, '__name__', type(part).__name__)}", "", ""
        for path, held in _unfold(name, part, ()):
            if not isinstance(held, Module):
                continue
            title = f"{indent}{path}: {type(held).__name__}"
            if id(held) in seen:
                yield title, "shared", ""
                continue
            seen.add(id(held))
            yield title, _shapes(held), f"{held.num_parameters():,}"
            yield from _rows(held, indent + "  ", seen)


def _shapes(module: Module) -> str:
    own = [(name, t) for name, t in module._parts() if not isinstance(t, Module)]
    trained = [id(p) for p in module.parameters()]
    return ", ".join(f"{name} {np.shape(t)}" + (" fixed" if id(t) not in trained else "") for name, t in own)


# --- a Module as a tree -----------------------------------------------------------------------------------------------


class _Twin:
    """The leaves of a Module taken as a tree: the paths to each, and, in one put together again, what stands there."""

    __slots__ = ("leaves", "paths")

    def __init__(self, paths: list[list[Path]], leaves: tuple[Any, ...]) -> None:
        self.paths, self.leaves = paths, leaves

    def known(self) -> frozenset[int]:
        """Return the identities of leaves, which may be Tensors that are computed, or arrays."""
        return frozenset(id(x) for x in self.leaves if x is not None)


def _take_apart(module: Module) -> tuple[tuple[Any, ...], Any]:
    """Return the parameters of a Module, each once, and what is needed to put a twin together around others."""
    if (twin := module._twin) is not None and twin.paths:
        return tuple(_at(module, paths[0]) for paths in twin.paths), (module, twin.paths)
    places: dict[int, list[Path]] = {}
    leaves: list[Any] = []
    known = twin.known() if twin is not None else frozenset()
    for path, t in _places(module, (), set(), known):
        if id(t) not in places:
            leaves.append(t)
        places.setdefault(id(t), []).append(path)
    return tuple(leaves), (module, list(places.values()))


def _places(x: Any, path: Path, seen: set[int], known: frozenset[int]) -> Iterator[tuple[Path, Any]]:
    """Yield every place at which a parameter is held, and the parameter."""
    if id(x) in known or (isinstance(x, ag.Tensor) and x.requires_grad and x.is_leaf):
        yield path, x
    elif isinstance(x, Module | dict | list | tuple) and id(x) not in seen:
        seen.add(id(x))
        for key, part in _inside(x):
            yield from _places(part, (*path, key), seen, known)


def _inside(x: Any) -> Iterable[tuple[Any, Any]]:
    return enumerate(x) if isinstance(x, list | tuple) else (vars(x) if isinstance(x, Module) else x).items()


def _at(x: Any, path: Path) -> Any:
    for key in path:
        x = vars(x)[key] if isinstance(x, Module) else x[key]
    return x


def _put_together(rest: Any, leaves: tuple[Any, ...]) -> Any:
    """Return a twin of a Module around other parameters; all else, running averages too, the two have in common."""
    module, paths = rest
    leaf_at = {path: leaf for row, leaf in zip(paths, leaves, strict=True) for path in row}
    twin = _rebuilt(module, (), leaf_at, {}, leaves)
    twin._twin = _Twin(paths, leaves)
    return twin


def _rebuilt(x: Any, path: Path, leaf_at: dict[Path, Any], made: dict[int, Any], leaves: tuple[Any, ...]) -> Any:
    """Copy Modules and containers, and nothing else, with other parameters in their places."""
    if path in leaf_at:
        return leaf_at[path]
    if not isinstance(x, Module | dict | list | tuple):
        return x
    if id(x) in made:
        return made[id(x)]
    if isinstance(x, tuple):
        parts = [_rebuilt(part, (*path, i), leaf_at, made, leaves) for i, part in enumerate(x)]
        made[id(x)] = type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        return made[id(x)]
    made[id(x)] = twin = copy.copy(x)
    for key, part in list(_inside(x)):
        new = _rebuilt(part, (*path, key), leaf_at, made, leaves)
        if isinstance(twin, Module):
            vars(twin)[key] = new
        else:
            twin[key] = new
    if isinstance(twin, Module):
        twin._twin = _Twin([], leaves)
    return twin


ag.register_tree(Module, _take_apart, _put_together)
