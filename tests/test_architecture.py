"""The house: imports go downwards only, floor by floor, and the vocabulary is what `__all__` says.

Read from the source of the imported packages, so the built wheel is judged when the tests run against it.
"""

import ast
import graphlib
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import autograd_core as ag
import nn

FLOORS = {
    "spaces": 0,
    "state": 0,
    "tree": 0,
    "files": 0,
    "packages": 0,
    "pullbacks": 0,
    "notes": 1,
    "rules": 1,
    "ops": 2,
    "nodes": 2,
    "absent": 3,
    "sweep": 4,
    "recording": 4,
    "protocols": 5,
    "tensor": 6,
    "tape_values": 7,
    "vectors": 7,
    "transforms": 7,
    "changes": 7,
    "program": 8,
    "pictures": 9,
    "diagnosis": 9,
    "checking": 10,
    "replay": 10,
    "__main__": 11,
}
ROOT = Path(__file__).parents[1]
RUNTIME = {*sys.stdlib_module_names, "numpy", "graphviz"}
ON_DEMAND = [
    "IPython", "graphviz", "hypothesis", "jax", "matplotlib", "pygraphviz", "pytest", "safetensors", "scipy", "sklearn",
    "torch", "tqdm",
]  # fmt: skip


def modules_of(package):
    """Map dotted names to files: `autograd_core.ops.reduce`, and for an `__init__.py` its package's name."""
    home = Path(package.__file__).parent
    found = {}
    for path in sorted(home.rglob("*.py")):
        parts = path.relative_to(home.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


CORE, NETWORKS = modules_of(ag), modules_of(nn)
FILES = CORE | NETWORKS


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module, files=FILES):
    """Return (line, imported module) for every import statement, wherever it stands; `from` reaches for submodules."""
    found = []
    package = module if files[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(parse(files[module])):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.append((node.lineno, inner if inner in files else base))
    return found


PARTS = {"operators": "tensor", "methods": "tensor", "inplace": "tensor", "signatures": "tensor"}  # files of one class


def room(module):
    """Return the part of autograd_core a module belongs to: `ops` for `autograd_core.ops.reduce`."""
    name = module.split(".")[1] if "." in module else ""
    return PARTS.get(name, name)


def upward(module, files=FILES):
    """Return a sentence for each import in a module of autograd_core that does not go down."""
    wrong = []
    for line, target in imports(module, files):
        top = target.split(".")[0]
        if top == "nn":
            wrong.append(f"{module}:{line} imports {target}: nn stands on autograd_core, not under it")
        elif target == "autograd_core" and room(module) != "__main__":
            wrong.append(f"{module}:{line} imports the roof, {target}: import the module that defines the name")
        elif top == "autograd_core" and room(target) != room(module):
            here, there = FLOORS[room(module)], FLOORS.get(room(target), -1)  # what has no floor fails by its own name
            if there >= here:
                wrong.append(f"{module}:{line} (floor {here}) imports {target} (floor {there})")
    return wrong


def at_import(tree):
    """Walk what runs when a module is imported: not the bodies of functions, nor what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        yield node
        yield from at_import(node)


@pytest.mark.parametrize("module", [m for m in CORE if m != "autograd_core"])
def test_imports_go_downwards(module):
    assert room(module) in FLOORS, f"{CORE[module]} stands on no floor: give {room(module)!r} one in FLOORS"
    assert not upward(module)


@pytest.mark.parametrize(
    ("module", "source", "verdict"),
    [
        ("autograd_core.sweep", "def f():\n    from .tensor import Tensor", "sweep:2 (floor 4) imports"),
        ("autograd_core.ops.reduce", "from ..tensor import Tensor", "(floor 2) imports autograd_core.tensor (floor 6)"),
        ("autograd_core.ops.reduce", "import autograd_core.sweep", "(floor 2) imports autograd_core.sweep (floor 4)"),
        ("autograd_core.tensor", "import autograd_core as ag", "imports the roof"),
        ("autograd_core.tensor", "from . import Tensor", "imports the roof"),
        ("autograd_core.rules", "import nn.losses", "nn stands on autograd_core"),
        ("autograd_core.ops.reduce", "from autograd_core.ops import shape\nfrom .. import spaces", ""),
    ],
)
def test_an_upward_import_would_be_found(tmp_path, module, source, verdict):
    path = tmp_path / "planted.py"
    path.write_text(source, encoding="utf-8")
    others = ["autograd_core.ops", "autograd_core.ops.shape", "autograd_core.spaces", "autograd_core.tensor"]
    found = upward(module, dict.fromkeys([*others, module], path))
    assert verdict in found[0] if verdict else not found


@pytest.mark.parametrize("files", [CORE, NETWORKS], ids=["autograd_core", "nn"])
def test_imports_make_no_circle(files):
    # Rooms are ordered by their floors; this orders what is inside a room, and nn. Raises CycleError with the circle.
    wanted = {module: {t for _, t in imports(module) if t in files and t != module} for module in files}
    order = list(graphlib.TopologicalSorter(wanted).static_order())
    assert set(order) == set(files)


@pytest.mark.parametrize("module", NETWORKS)
def test_nn_uses_public_names_only(module):
    used = []  # (line, name), whether imported or looked up in the imported package
    tree, aliases = parse(NETWORKS[module]), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used += [(node.lineno, a.name) for a in node.names if a.name.startswith("autograd_core.")]
            aliases |= {a.asname or a.name for a in node.names if a.name == "autograd_core"}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module.split(".")[0] == "autograd_core":
            inside = node.module.removeprefix("autograd_core").lstrip(".")
            used += [(node.lineno, f"{inside}.{a.name}" if inside else a.name) for a in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            used.append((node.lineno, node.attr))
    private = [f"{module}:{line} uses {name}" for line, name in used if name not in ag.__all__]
    assert not private, "not in autograd_core.__all__"


@pytest.mark.parametrize("package", [ag, nn], ids=["autograd_core", "nn"])
def test_all_is_sorted_and_complete(package):
    assert list(package.__all__) == sorted(set(package.__all__))
    missing = [name for name in package.__all__ if not hasattr(package, name)]
    assert not missing, "in __all__ but not there"
    visible = {
        name
        for name, value in vars(package).items()
        if not name.startswith(("_", "@"))  # pytest puts @names into the modules of an installed package with a plugin
        and not (isinstance(value, types.ModuleType) and value.__name__.startswith(package.__name__ + "."))
        and type(value).__module__ != "__future__"
    }
    assert not visible - set(package.__all__), "visible but not in __all__"


def test_no_module_hides_a_public_function():
    modules = {room(module) for module in CORE}
    functions = {name for name in ag.__all__ if not isinstance(getattr(ag, name), types.ModuleType)}
    assert not modules & functions, "`import autograd_core.x` would put the module in the function's place"


@pytest.mark.parametrize("module", FILES)
def test_importing_needs_only_numpy_and_graphviz(module):
    foreign = []
    for node in at_import(parse(FILES[module])):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        allowed = RUNTIME | {"autograd_core", module.split(".")[0]}
        foreign += [f"{module}:{node.lineno} imports {name}" for name in names if name.split(".")[0] not in allowed]
    assert not foreign, "import it inside the function that uses it"


def test_import_loads_nothing_on_demand():
    program = f"import sys, autograd_core; print(*(name for name in {ON_DEMAND} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_tests_are_no_package():
    # `tests/nn/__init__.py` would make `import nn` find the tests.
    assert not list(Path(__file__).parent.rglob("__init__.py"))


@pytest.mark.skipif(not (ROOT / "CONTRIBUTING.md").exists(), reason="the wheel is tested, away from its checkout")
def test_the_path_for_readers_is_one_list():
    readme, rules = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    steps = re.findall(
        r"^\d+\. (.*(?:\n   .*)*)", readme.partition("## Reading the code")[2].partition("\n## ")[0], re.M
    )
    linked = [re.findall(r"\]\((autograd_core/[^)]*)\)", step) for step in steps]
    assert all((ROOT / file).exists() for files in linked for file in files)
    first = re.findall(r"`([\w/]+\.py)`", rules.partition("**Read first**")[2].partition("\n- ")[0])
    known = iter(file.removeprefix("autograd_core/") for files in linked for file in files)
    assert first
    assert all(file in known for file in first), "CONTRIBUTING.md names other files, or in another order"  # consumes


def test_size_in_lines():
    # Growth is information, not failure: `pytest -rP -k size_in_lines` shows it.
    sizes = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in FILES.items()}
    for module, lines in sizes.items():
        print(f"{lines:6,}  {module}")
    for package, files in {"autograd_core": CORE, "nn": NETWORKS}.items():
        print(f"{sum(sizes[m] for m in files):6,}  {package}, {len(files)} files")
    assert sum(sizes.values())
