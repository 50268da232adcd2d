"""Files: a model in one safetensors file, its architecture as JSON in the metadata; no code is stored, and none is run.

The format is 8 bytes of length, a JSON header with dtype, shape and place of every array, then the arrays, little
endian. It is read and written here, so that every doubt about a file can be answered by a sentence.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import autograd_core as ag

from .functional import ACTIVATIONS
from .module import Module

Array = np.ndarray[Any, Any]
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "C64": "<c8", "BF16": "<u2",
}  # fmt: skip
CODES = {np.dtype(name): code for code, name in DTYPES.items() if code != "BF16"}
LONGEST_HEADER = 100_000_000  # bytes, as the reference implementation has it
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
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts, end = [], 0
    for name, given in arrays.items():
        a = np.asarray(given)
        if (little := a.dtype.newbyteorder("<")) not in CODES:
            raise TypeError(f"{name} has dtype {a.dtype}, which a safetensors file cannot hold")
        if name == "__metadata__":
            raise ValueError("no array can be called __metadata__ in a safetensors file")
        parts.append(np.ascontiguousarray(a, little))
        header[name] = {"dtype": CODES[little], "shape": list(a.shape), "data_offsets": [end, end + a.nbytes]}
        end += a.nbytes
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    replace(path, [len(text).to_bytes(8, "little"), text, *(a.tobytes() for a in parts)])


def replace(path: str | os.PathLike[str], pieces: Iterable[bytes]) -> None:
    """Write a file beside the old one, and put it in its place when it is complete and on the disk."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix":  # mkstemp lets the owner only in
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)  # also on Windows, where the file must be closed before
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a safetensors file, and its metadata; bfloat16 comes as float32.

    Raises
    ------
    FileError
        If it is not such a file, complete and consistent.
    """
    data = Path(path).read_bytes()
    header, start = _header(data, path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileError(f"{path}: the metadata are not texts by name")
    size, covered = len(data) - start, 0
    places = {name: _place(path, name, entry, size) for name, entry in header.items()}
    for name, (_, _, first, last) in sorted(places.items(), key=lambda item: item[1][2:]):
        if first != covered:
            raise FileError(f"{path}: {name} starts at byte {first} of the data, expected {covered}")
        covered = last
    if covered != size:
        raise FileError(f"{path}: {size - covered} bytes after the last array")
    return {name: _array(data, start, *place) for name, place in places.items()}, metadata


def _header(data: bytes, path: Any) -> tuple[dict[str, Any], int]:
    if len(data) < 8:
        raise FileError(f"{path} is no safetensors file: it has {len(data)} bytes only")
    length = int.from_bytes(data[:8], "little")
    if length > LONGEST_HEADER:
        raise FileError(f"{path} is no safetensors file: its header would have {length} bytes")
    if 8 + length > len(data):
        raise FileError(f"{path} is truncated: its header has {length} bytes, the file {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as e:
        raise FileError(f"{path} is no safetensors file: its header is not JSON ({e})") from e
    if not isinstance(header, dict):
        raise FileError(f"{path} is no safetensors file: its header is not a JSON object")
    return header, 8 + length


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _place(path: Any, name: str, entry: Any, size: int) -> tuple[str, list[int], int, int]:
    """Return dtype, shape, first and last byte of an array whose entry in the header makes sense."""
    try:
        code, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, first, last]
    except (KeyError, TypeError, ValueError) as e:
        raise FileError(f"{path}: {name} is not described by dtype, shape and data_offsets") from e
    if not isinstance(shape, list) or any(type(n) is not int or not 0 <= n < 2**63 for n in numbers):
        raise FileError(f"{path}: {name} has the shape {shape} at {first} to {last}: these are not whole numbers")
    if not isinstance(code, str) or code not in DTYPES:
        raise FileError(f"{path}: {name} has the dtype {code!r}, unknown here")
    if last > size:
        raise FileError(f"{path} is truncated: {name} ends at byte {last} of the data, there are {size}")
    needed = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if len(shape) > 32 or last - first != needed:
        raise FileError(f"{path}: {name}, {code} of shape {shape}, takes {needed} bytes, not {last - first}")
    return code, shape, first, last


def _array(data: bytes, start: int, code: str, shape: list[int], first: int, last: int) -> Array:
    a = (
        np.frombuffer(data, DTYPES[code], math.prod(shape), start + first)
        if last > first
        else np.empty(0, DTYPES[code])
    )
    a = a.reshape(shape).astype(a.dtype.newbyteorder("="))  # a copy, that can be written into
    return (a.astype(np.uint32) << 16).view(np.float32) if code == "BF16" else a


# --- models -----------------------------------------------------------------------------------------------------------


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write a model, its parameters under PyTorch's names, and how it is built.

    Examples
    --------
    >>> import nn
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
    write(path, {**model.state_dict(), **writer.arrays}, {"format": "pt", ARCHITECTURE: json.dumps(tree)})


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
        attributes = {k: v for k, v in vars(value).items() if k != "_name"}
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
            "dtype": lambda d: {t.name: t for t in CODES}[d["dtype"]],
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
            if not key.isidentifier() or key.startswith("__") or key == "_name" or callable(getattr(cls, key, None)):
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
