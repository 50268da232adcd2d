"""Files: a model in one safetensors file, its architecture as JSON in the metadata; no code is stored, none is run."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import autograd_core as ag

from .functional import ACTIVATIONS
from .module import Module

Array = np.ndarray[Any, Any]
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64".split()
ARCHITECTURE = "nn.architecture"


class FileError(ValueError):
    """A file that cannot be read as what it claims to be."""


# --- arrays -----------------------------------------------------------------------------------------------------------


def write(path: str | os.PathLike[str], arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays as a safetensors file; until it is complete, an old file of that name stays as it is.

    Parameters
    ----------
    path : path
    arrays : dict of arrays
        A model's `state_dict`, for example.
    metadata : dict of str, optional
        One entry, if the same arrays are to make the same file: several are written in any order.
    """
    found = {name: np.asarray(a, order="C") for name, a in arrays.items()}  # other orders would be written as they lie
    for name, a in found.items():
        if a.dtype.name not in DTYPES:
            raise TypeError(f"{name} has dtype {a.dtype}, which a safetensors file cannot hold")
        if name == "__metadata__":
            raise ValueError("no array can be called __metadata__ in a safetensors file")
    replace(path, _safetensors().numpy.save(found, metadata=dict(metadata) if metadata else None))


def _file(path: Any) -> Path:
    """Return a path, or say that it is none."""
    if not isinstance(path, str | os.PathLike):
        hint = "; a model that is there is given values by load(path, into=model)" if isinstance(path, Module) else ""
        raise TypeError(f"a path is a string or a Path, such as 'model.safetensors', not {type(path).__name__}{hint}")
    if not os.fspath(path):
        raise ValueError("the path is empty: write one such as 'model.safetensors'")
    return Path(path)


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside the old one, and put it in its place when it is complete and on the disk."""
    path = _file(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file is written to a path such as {path / 'model.safetensors'}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
    ag.replace_file(path, content)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a safetensors file, and its metadata.

    Raises
    ------
    FileError
        If it is not such a file, complete and consistent, or if NumPy has no such arrays, as of bfloat16.
    """
    safetensors, path = _safetensors(), _file(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file that save wrote, such as {path / 'model.safetensors'}")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return {name: _array(file, name, path) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except safetensors.SafetensorError as e:
        raise FileError(f"{path} is no safetensors file, or truncated: {e}") from e


def _array(file: Any, name: str, path: Any) -> Array:
    try:
        return file.get_tensor(name)
    except (TypeError, AttributeError, ValueError) as e:  # a dtype, or a shape, that NumPy does not have
        raise FileError(f"{path}: NumPy cannot hold {name}, of dtype {file.get_slice(name).get_dtype()}: {e}") from e


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as e:
        raise ImportError("reading and writing files needs safetensors: pip install 'autograd-core[nn]'") from e
    return safetensors


# --- models -----------------------------------------------------------------------------------------------------------


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write a model, its parameters under PyTorch's names, and how it is built.

    Examples
    --------
    >>> import nn
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> nn.save(nn.MLP([2, 3, 1], "tanh", rng=0), path)
    >>> nn.load(path)
    MLP                                       13 parameters
      0: Linear  weight (3, 2), bias (3,)     9
      1: tanh
      2: Linear  weight (1, 3), bias (1,)     4
    """
    if not isinstance(model, Module):
        raise TypeError(f"save takes a Module, not a {type(model).__name__}; io.write takes a dict of arrays")
    writer = _Description(model)
    tree = writer.describe(model, type(model).__name__)
    write(path, {**model.state_dict(), **writer.arrays}, {ARCHITECTURE: json.dumps(tree)})


def load(path: str | os.PathLike[str], *, into: Module | None = None, classes: Iterable[type[Module]] = ()) -> Module:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : path
    into : Module, optional
        Give its values to this model, rather than build one: also for files written by PyTorch.
    classes : iterable of Module classes
        Your own, where the file has any; nn's layers are known.
    """
    arrays, metadata = read(path)
    if into is not None:
        state = {name: a for name, a in arrays.items() if not name.startswith("nn.array.")}
        return into.load_state_dict(state)
    if ARCHITECTURE not in metadata:
        raise FileError(f"{path} has arrays, but not how the model is built: build it, and call load(path, into=model)")
    try:
        reader = _Builder(arrays, {**known_classes(), **{c.__name__: c for c in classes}})
        model = reader.build(json.loads(metadata[ARCHITECTURE]))
        if not isinstance(model, Module):
            raise FileError(f"it describes a {type(model).__name__}, not a model")
        model.load_state_dict({name: a for name, a in arrays.items() if not name.startswith("nn.array.")})
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as e:
        raise FileError(f"{path} does not describe a model: {e}") from e
    return model


def known_classes() -> dict[str, type[Module]]:
    """Return nn's own layers by name."""
    from . import layers

    public = {name: getattr(layers, name) for name in layers.__all__}
    return {name: c for name, c in public.items() if isinstance(c, type) and issubclass(c, Module)}


class _Description:
    """Writes a Module as JSON: class names, plain settings, activations by name, arrays by name."""

    def __init__(self, model: Module) -> None:
        self.names: dict[int, str] = {}
        for name, t in model._state().items():
            self.names.setdefault(id(t), name)
        self.seen: dict[int, int] = {}
        self.arrays: dict[str, Any] = {}

    def describe(self, value: Any, where: str) -> Any:
        """Return what `_Builder.build` makes such a value of."""
        if value is None or type(value) in (bool, str, int):
            return value
        if isinstance(value, float | np.integer | np.floating) or type(value) is np.bool_:
            value = value.item() if isinstance(value, np.generic) else value
            return value if not isinstance(value, float) or math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Module | ag.Tensor | np.random.Generator):
            if id(value) in self.seen:
                return {"again": self.seen[id(value)]}
            self.seen[id(value)] = len(self.seen)
            return self._thing(value, where)
        if isinstance(value, np.ndarray):
            key = f"nn.array.{len(self.arrays)}"
            self.arrays[key] = value
            return {"array": key}
        if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
            return {"dtype": np.dtype(value).name}
        if type(value) in (list, tuple):
            parts = [self.describe(v, f"{where}.{i}") for i, v in enumerate(value)]
            return {type(value).__name__: parts}
        if type(value) is dict and all(type(k) is str for k in value):
            return {"dict": {k: self.describe(v, f"{where}.{k}") for k, v in value.items()}}
        for name, f in ACTIVATIONS.items():
            if value is f:
                return {"function": name}
        kind = getattr(value, "__name__", None) or type(value).__name__
        raise TypeError(
            f"{where} is {kind}, which a file cannot hold: it holds Tensors, Modules, plain settings, and the "
            f"activations {', '.join(ACTIVATIONS)}; save the parameters alone by io.write(path, model.state_dict())"
        )

    def _thing(self, value: Any, where: str) -> Any:
        if isinstance(value, ag.Tensor):
            if id(value) not in self.names:
                raise TypeError(f"{where} is the result of an operation: hold value.detach() instead")
            return {"tensor": self.names[id(value)], "requires_grad": value.requires_grad, "name": value.name}
        if isinstance(value, np.random.Generator):
            return {"rng": json.loads(json.dumps(value.bit_generator.state, default=np.ndarray.tolist))}
        attributes = {k: v for k, v in vars(value).items() if k not in ("_name", "_twin")}
        described = {k: self.describe(v, f"{where}.{k}") for k, v in attributes.items()}
        return {"class": type(value).__name__, "settings": described}


class _Builder:
    """Makes a Module from its description: known classes, plain values, nothing else."""

    def __init__(self, arrays: Mapping[str, Array], classes: Mapping[str, type[Module]]) -> None:
        self.arrays, self.classes = arrays, classes
        self.made: list[Any] = []

    def build(self, d: Any) -> Any:
        """Return the value that is described."""
        if d is None or type(d) in (bool, str, int, float):
            return d
        if type(d) is not dict or not d:
            raise FileError(f"{d!r} describes nothing")
        kind = next(iter(d))
        makers: dict[str, Callable[[Any], Any]] = {
            "class": self._module, "tensor": self._tensor, "rng": self._rng,
            "again": lambda d: self.made[_position(d["again"])],
            "array": lambda d: self.arrays[d["array"]],
            "float": lambda d: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[d["float"]],
            "dtype": lambda d: {name: np.dtype(name) for name in DTYPES}[d["dtype"]],
            "list": lambda d: [self.build(v) for v in _a(list, d["list"])],
            "tuple": lambda d: tuple(self.build(v) for v in _a(list, d["tuple"])),
            "dict": lambda d: {k: self.build(v) for k, v in _a(dict, d["dict"]).items()},
            "function": lambda d: ACTIVATIONS[d["function"]],
        }  # fmt: skip
        if kind not in makers:
            raise FileError(f"a {kind!r} is unknown")
        try:
            return makers[kind](d)
        except KeyError as e:
            raise FileError(f"{kind} {e} is unknown") from e

    def _module(self, d: dict[str, Any]) -> Module:
        name, settings = d["class"], _a(dict, d["settings"])
        if name not in self.classes:
            raise FileError(
                f"the class {name} is unknown: if it is yours, and you trust the file, "
                f"pass load(path, classes=[{name}])"
            )
        cls = self.classes[name]
        module = cls.__new__(cls)
        self.made.append(module)
        for key, value in settings.items():
            if (
                not key.isidentifier()
                or key.startswith("__")
                or key in ("_name", "_twin")
                or callable(getattr(cls, key, None))
            ):
                raise FileError(f"{name} cannot have a setting called {key!r}")
            if isinstance(getattr(cls, key, None), property):
                raise FileError(f"{name}.{key} is computed, and cannot be set")
            setattr(module, key, self.build(value))
        return module

    def _tensor(self, d: dict[str, Any]) -> ag.Tensor:
        wanted, name = _a(bool, d["requires_grad"]), d["name"]
        t = ag.Tensor(self.arrays[_a(str, d["tensor"])], requires_grad=wanted, name=_a(str, name) if name else None)
        self.made.append(t)
        return t

    def _rng(self, d: dict[str, Any]) -> np.random.Generator:
        kind = d["rng"]["bit_generator"]
        if kind not in ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"):
            raise FileError(f"the random generator {kind!r} is unknown")
        bits = getattr(np.random, kind)(0)
        bits.state = d["rng"]
        found = np.random.Generator(bits)
        self.made.append(found)
        return found


def _position(i: Any) -> int:
    """Return a position in a list, which is not counted from its end."""
    if type(i) is not int or i < 0:
        raise FileError(f"{i!r} is no position")
    return i


def _a(kind: type, value: Any) -> Any:
    """Return a value that must be of some type."""
    if type(value) is not kind:
        raise FileError(f"{value!r} is not a {kind.__name__}")
    return value
