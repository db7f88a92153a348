"""What identifies a user's own model: source code, options, weights and values.

Stored results of a model are read back only where nothing that made them can have changed. What a
model says of itself in ``describe()`` is not enough for that. This module adds what can be seen:
the source of its functions and classes and of every module of the user's own that these import,
the files it names and the values it holds. Where something cannot be seen, the identity is
uncertain and the model runs again.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from importlib.machinery import SourceFileLoader
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from alignbench.datasets.base import Dataset
from alignbench.errors import blame
from alignbench.io.files import sha256

if TYPE_CHECKING:
    from alignbench.predictors.base import Predictor

_WEIGHTS = re.compile(
    r".+\.(bin|ckpt|dat|h5|hdf5|joblib|json|mat|npy|npz|onnx|pb|pkl|pth?|safetensors|tar|tflite|"
    r"toml|xml|ya?ml|zip)",
    re.IGNORECASE,
)
"""A text that may name a file from which the model is made."""

_first_seen: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()
"""Hash of a module's file when this process first looked, to notice a later edit."""


@dataclass(frozen=True)
class Identity:
    """What identifies a model.

    Attributes
    ----------
    parts
        As JSON: hashes of ``modules``, ``files`` and ``values``, versions of ``packages``.
    certain
        Whether nothing else can change its landmarks.
    reason
        The first reason why not, as a clause; empty where it is certain.
    """

    parts: dict[str, Any]
    certain: bool
    reason: str = ""


@dataclass(frozen=True)
class Origin:
    """How :func:`alignbench.load_predictor` made a predictor: factory, options, working folder."""

    factory: Any
    options: Mapping[str, Any]
    folder: Path


def identify(predictor: Predictor) -> Identity:
    """What identifies a predictor besides its ``describe()``.

    Nothing else does for a model of alignbench itself: its version is in the key of a run.
    """
    origin, kind = predictor.origin, type(predictor)
    roots = [kind, *predictor.built_from, *([origin.factory] if origin else [])]
    if all(_is_ours(_home(root)) for root in roots):
        return Identity({}, certain=True)
    look = _Look(predictor.transient, origin)
    with blame(f"model {predictor.name!r}, describe()"):
        description = predictor.describe()
    try:
        for root in roots:
            look.add_root(root)
        look.add([description, dict(origin.options) if origin else None])
        if not _is_ours(kind.__module__):
            look.add({k: v for k, v in sorted(vars(predictor).items()) if k not in look.ignored})
    except Exception as error:  # whatever a value of the user's does when it is looked at
        look.doubts.append(f"its code and values cannot be read ({type(error).__name__}: {error})")
    parts: dict[str, Any] = {
        "modules": dict(sorted(look.modules.items())),
        "packages": dict(sorted(look.packages.items())),
        "files": dict(sorted(look.files.items())),
        "values": look.digest.hexdigest(),
    }
    return Identity({k: p for k, p in parts.items() if p}, not look.doubts, *look.doubts[:1])


def _home(thing: Any) -> str:
    """The module of a function, class or object."""
    thing = getattr(thing, "func", thing)
    return str(getattr(thing, "__module__", None) or type(thing).__module__)


@cache
def _our_packages() -> set[str]:
    try:
        entries = distribution("alignbench").entry_points
    except PackageNotFoundError:
        return {"alignbench"}
    return {"alignbench", *(entry.module.partition(".")[0] for entry in entries)}


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _our_packages()


def _is_standard(module: str) -> bool:
    return module != "__main__" and module.partition(".")[0] in sys.stdlib_module_names


@cache
def _is_users(file: Path) -> bool:
    """Whether a file is neither of the standard library nor of an installed package."""
    paths = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    foreign = (Path(path).resolve() for path in (*paths, *site.getsitepackages()))
    file = file.resolve()
    return not {"site-packages", "dist-packages"} & set(file.parts) and not any(
        file.is_relative_to(folder) for folder in foreign
    )


def _file_of(name: str) -> Path | None:
    """The file of a module, imported or not."""
    module, parent = sys.modules.get(name), name.rpartition(".")[0]
    file = getattr(module, "__file__", None)
    if module is None and name and (not parent or hasattr(sys.modules.get(parent), "__path__")):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return None
        file = spec.origin if spec and spec.has_location else None
    return Path(file) if file and Path(file).is_file() else None


@cache
def _codes(content: bytes, file: str) -> set[CodeType]:
    """The code of every function and class of a source file."""
    level, codes = [SourceFileLoader("", file).source_to_code(content, file)], set[CodeType]()
    while level:
        level = [c for code in level for c in code.co_consts if isinstance(c, CodeType)]
        codes.update(level)
    return codes


def _names(code: CodeType) -> list[str]:
    """Names of globals and attributes in a function and the functions inside it."""
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c)]
    return [*code.co_names, *inner]


class _Look:
    """Goes through a model's values and code, hashes what it sees and notes what it cannot see."""

    def __init__(self, transient: Sequence[str], origin: Origin | None) -> None:
        self.modules: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.doubts: list[str] = []
        self.digest = hashlib.sha256()
        self.ignored = {"_abc_impl", "origin", *transient}
        self._loaded, self._folder = origin is not None, origin.folder if origin else Path.cwd()
        self._known: dict[int, tuple[int, Any]] = {}  # objects by id, kept alive
        self._visited: set[str] = set()

    def _feed(self, *texts: object) -> None:
        self.digest.update("\0".join(map(str, texts)).encode(errors="surrogatepass") + b"\1")

    def _doubt(self, reason: str, *, always: bool = False) -> None:
        # A model loaded by its name is made anew, by its source from options and files.
        if always or not self._loaded:
            self.doubts.append(reason)

    def add_root(self, thing: Any) -> None:
        """Take in what computes landmarks: a class, a function, a network."""
        torch = sys.modules.get("torch")
        known = isinstance(thing, (type, FunctionType, MethodType, partial))
        if not known and not (torch and isinstance(thing, torch.nn.Module)):
            self._doubt(f"the model is an object of {type(thing).__qualname__}, which may change")
        for name in {_home(kind) for kind in getattr(thing, "__mro__", [thing])}:
            file = None if _is_ours(name) or _is_standard(name) else _file_of(name)
            if file and not _is_users(file):
                for owner in packages_distributions().get(name.partition(".")[0], []):
                    self.packages[owner] = version(owner)
        self.add(thing)

    def add(self, value: Any) -> None:
        """Take in a value and all that it holds."""
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            self._feed(type(value).__name__, repr(value))
        elif isinstance(value, str | Path):
            self._feed(type(value).__name__, value)
            self._file(value, self._folder)
        elif id(value) in self._known:
            self._feed("again", self._known[id(value)][0])
        else:
            self._known[id(value)] = len(self._known), value
            self._feed(type(value).__name__)
            self._add_new(value)

    def _add_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.add(value)

    def _add_new(self, value: Any) -> None:
        match value:
            case FunctionType():
                self._function(value)
                if hasattr(value, "__wrapped__"):
                    self.add(value.__wrapped__)
            case MethodType():
                self._add_all([value.__func__, value.__self__])
            case staticmethod() | classmethod():
                self.add(value.__func__)
            case property():
                self._add_all([value.fget, value.fset])
            case partial():
                self._add_all([value.func, value.args, value.keywords])
            case type():
                self._class(value)
            case ModuleType():
                self._feed(value.__name__)
                self._module(value.__name__)
            case Enum() | re.Pattern() | range() | slice() | np.dtype():
                self._feed(repr(value))
            case BuiltinFunctionType() | np.ufunc():
                self._feed(getattr(value, "__qualname__", value))
            case BaseException():
                self._add_all([type(value), value.args])
            case np.ndarray() | np.generic() if value.dtype.kind not in "OV":
                self._feed(value.dtype.str, value.shape)
                self.digest.update(np.ascontiguousarray(value).tobytes())
            case list() | tuple():
                self._feed(len(value))
                self._add_all(value)
            case set() | frozenset():
                self._feed(sorted(map(repr, value)))
            case Mapping():
                self._feed(len(value))
                self._add_all(part for item in value.items() for part in item)
            case _:
                self._object(value)

    def _object(self, value: Any) -> None:
        kind, torch = type(value), sys.modules.get("torch")
        # Only of classes written in Python can all values be listed (Py_TPFLAGS_HEAPTYPE).
        plain = all(base.__flags__ & (1 << 9) for base in kind.__mro__[:-1])
        if torch and isinstance(value, torch.device | torch.dtype):
            self._feed(str(value).partition(":")[0])
        elif torch and isinstance(value, torch.Tensor) and value.layout is torch.strided:
            self._feed(value.dtype, tuple(value.shape))
            flat = value.detach().cpu().contiguous().reshape(-1)
            self.digest.update(flat.view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Dataset):
            self.add(value.fingerprint())
        elif plain and hasattr(value, "__dict__"):
            self._add_all([kind, vars(value)])
        else:
            name = f"{kind.__module__}.{kind.__qualname__}"
            self._feed(name)
            self._doubt(f"{name}, which it uses, cannot be compared")

    def _class(self, kind: type) -> None:
        self._feed(kind.__module__, kind.__qualname__)
        if not self._module(kind.__module__):
            return
        self._add_all(kind.__mro__[1:-1])
        for name, value in vars(kind).items():
            inner = inspect.unwrap(getattr(value, "__func__", value))
            code = isinstance(inner, FunctionType | property)
            if isinstance(inner, FunctionType) and inner.__code__.co_filename.startswith("<"):
                continue  # generated from the class's source, as by dataclass
            slot = inspect.isdatadescriptor(value)
            if code or not (name.startswith("__") or name in self.ignored or slot):
                self._add_all([name, value])

    def _function(self, function: FunctionType) -> None:
        code = function.__code__
        self._feed(function.__module__, code.co_qualname, code.co_firstlineno)
        if not self._module(function.__module__ or ""):
            return
        if code.co_name == "<lambda>":
            self._doubt("the model uses a lambda")
        file = Path(code.co_filename)
        if not file.is_file():
            self._doubt(f"the source of {code.co_qualname} is not in a file", always=True)
        elif code not in _codes(file.read_bytes(), str(file)):
            self._doubt(f"{file} has changed since it was imported", always=True)
        self._add_all([function.__defaults__, function.__kwdefaults__])
        for variable, value in inspect.getclosurevars(function).nonlocals.items():
            if isinstance(value, np.ndarray) or hasattr(value, "detach"):
                self._doubt(f"{code.co_qualname} uses an array of the function around it")
            self._add_all([variable, value])
        for name in _names(code):
            if name in function.__globals__:
                self._add_all([name, function.__globals__[name]])

    def _module(self, name: str) -> bool:
        """Take in a module and those it imports; whether it is the user's own."""
        parent = name.rpartition(".")[0]
        if parent:
            self._module(parent)
        if name in self._visited or _is_ours(name) or _is_standard(name):
            return name in self.modules
        self._visited.add(name)
        module, file = sys.modules.get(name), _file_of(name)
        if file is None:
            if not hasattr(module, "__path__"):
                self._doubt(f"module {name!r} has no source file", always=module is not None)
            return False
        if not _is_users(file):
            return False
        self.modules[name] = digest = sha256(file)
        if module is not None and _first_seen.setdefault(module, digest) != digest:
            self._doubt(f"{file} has changed since it was imported", always=True)
        if file.suffix == ".py":
            for imported in self._imports(file, name if file.stem == "__init__" else parent):
                if imported in sys.modules or _file_of(imported):
                    self._module(imported)
        return True

    def _imports(self, file: Path, package: str) -> Iterator[str]:
        """Names of what a source file may import; takes in the files that it names."""
        for node in ast.walk(ast.parse(file.read_bytes())):
            match node:
                case ast.Import():
                    yield from (alias.name for alias in node.names)
                case ast.ImportFrom():
                    base = node.module or ""
                    if node.level:
                        base = importlib.util.resolve_name("." * node.level + base, package)
                    yield base
                    yield from (f"{base}.{alias.name}" for alias in node.names)
                case (
                    ast.Name(id="exec" | "eval" | "__import__" | "import_module" as called)
                    | ast.Attribute(attr="import_module" | "run_path" | "exec_module" as called)
                ):
                    self._doubt(f"{called} in {file} may run any code", always=True)
                case ast.Constant(value=str() as text):
                    self._file(text, self._folder)
                    self._file(text, file.parent)

    def _file(self, name: str | Path, folder: Path) -> None:
        """Take in the content of a file that a path, or a text, names; of a folder, its list."""
        if isinstance(name, str) and (len(name) > 1024 or not _WEIGHTS.fullmatch(name)):
            return
        path = folder / name
        try:
            if path.is_file():
                self.files[path.name] = digest = sha256(path)
                self._feed(digest)
            elif path.is_dir():
                for inside in sorted(path.rglob("*")):
                    status = inside.stat()
                    self._feed(inside.relative_to(path), status.st_size, status.st_mtime_ns)
        except (OSError, ValueError):
            return
