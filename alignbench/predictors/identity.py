"""What identifies a user's own model: source code, options, weights and state.

Stored results of a model are read back only where nothing that made them can have changed. A
model's ``describe()`` is its author's word; this module adds what can be seen: the source of its
functions and classes, of every module of the user's own that these import, the files it names and
the values it holds. What cannot be seen makes the identity uncertain, and the model runs again.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.util
import inspect
import re
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
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

from alignbench.errors import blame
from alignbench.io.files import sha256

if TYPE_CHECKING:
    from alignbench.predictors.base import Predictor

_WEIGHTS = re.compile(
    r".+\.(bin|ckpt|dat|h5|hdf5|joblib|json|mat|npy|npz|onnx|pb|pkl|pth?|safetensors|tar|tflite|"
    r"toml|xml|ya?ml|zip)",
    re.IGNORECASE,
)
"""A text in source code that may name a file the model reads."""

_IMAGE = re.compile(r".+\.(bmp|gif|jpe?g|pgm|png|ppm|tiff?|webp)", re.IGNORECASE)

_RUNS_OTHER_CODE = {"exec", "eval", "__import__"}
_IMPORTS_BY_NAME = {
    "import_module", "run_path", "run_module", "spec_from_file_location", "exec_module",
}  # fmt: skip

_seen: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()
"""Hash of a module's file when this process first looked, to notice a later edit."""


@dataclass(frozen=True)
class Identity:
    """What identifies a model.

    Attributes
    ----------
    parts
        As JSON: hashes of ``modules``, ``files`` and ``state``, versions of ``packages``.
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
    """How :func:`alignbench.load_predictor` made a predictor: by which factory, with what."""

    factory: Any
    options: Mapping[str, Any]
    folder: Path


def identify(predictor: Predictor) -> Identity:
    """What identifies a predictor besides its ``describe()``.

    Nothing does for a model of alignbench itself: the version is in a run's key.
    """
    origin, kind = predictor.origin, type(predictor)
    roots = [kind, *predictor.built_from] + ([origin.factory] if origin else [])
    if all(_is_ours(_home(root)) for root in roots):
        return Identity({}, certain=True)
    look = _Look(predictor.transient, origin)
    for root in roots:
        look.root(root)
    with blame(f"model {predictor.name!r}, describe()"):
        look.at(predictor.describe())
    if origin:
        look.at(dict(origin.options))
    if not _is_ours(kind.__module__):
        look.at(
            {name: v for name, v in sorted(vars(predictor).items()) if name not in look.ignored}
        )
    parts = {
        "modules": look.modules,
        "packages": look.packages,
        "files": look.files,
        "state": look.state.hexdigest(),
    }
    parts = {
        name: dict(sorted(p.items())) if isinstance(p, dict) else p for name, p in parts.items()
    }
    return Identity(
        {k: p for k, p in parts.items() if p}, not look.doubts, "; ".join(look.doubts[:1])
    )


def _home(thing: Any) -> str:
    """The module of a function, class or instance."""
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
def _foreign_folders() -> list[Path]:
    paths = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [Path(p).resolve() for p in (*paths, *site.getsitepackages())]


def _is_users(file: Path) -> bool:
    """Whether a file is neither of the standard library nor of an installed package."""
    file = file.resolve()
    return not {"site-packages", "dist-packages"} & set(file.parts) and not any(
        file.is_relative_to(folder) for folder in _foreign_folders()
    )


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@cache
def _codes(content: bytes, file: str) -> set[CodeType]:
    """The code of every function and class of a source file."""
    level, codes = [SourceFileLoader("", file).source_to_code(content, file)], set[CodeType]()
    while level:
        level = [c for code in level for c in code.co_consts if isinstance(c, CodeType)]
        codes.update(level)
    return codes


class _Look:
    """Goes through a model's values and code once, hashes what it sees, notes what it cannot."""

    def __init__(self, transient: Sequence[str], origin: Origin | None) -> None:
        self.modules: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.doubts: list[str] = []
        self.state = hashlib.sha256()
        self.ignored = {"_abc_impl", "origin", *transient}
        self._loaded, self._folder = origin is not None, origin.folder if origin else Path.cwd()
        self._known: dict[int, tuple[int, Any]] = {}  # keeps what it has seen alive
        self._visited: set[str] = set()

    def _feed(self, *texts: object) -> None:
        self.state.update("\0".join(map(str, texts)).encode(errors="surrogatepass") + b"\1")

    def _doubt(self, reason: str, always: bool = False) -> None:
        # A model that was loaded by name is made anew by its source, options and files.
        if always or not self._loaded:
            self.doubts.append(reason)

    def root(self, thing: Any) -> None:
        """Take in what computes landmarks: a class, a function, a network."""
        torch = sys.modules.get("torch")
        plain = (type, FunctionType, MethodType, partial)
        if not isinstance(thing, plain) and not (torch and isinstance(thing, torch.nn.Module)):
            self._doubt(
                f"the model is an object of {type(thing).__qualname__}, whose state may change"
            )
        for name in {_home(kind) for kind in getattr(thing, "__mro__", [thing])[:-1] or [thing]}:
            if _is_ours(name) or _is_standard(name):
                continue
            if (file := _file_of(name)) and not _is_users(file):
                for owner in _distributions().get(name.partition(".")[0], []):
                    self.packages[owner] = version(owner)
        self.at(thing)

    def at(self, value: Any) -> None:
        """Take a value into the state."""
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            self._feed(type(value).__name__, repr(value))
            return
        if isinstance(value, str | Path):
            self._feed(type(value).__name__, value)
            self._file(value, self._folder)
            return
        if id(value) in self._known:
            self._feed("again", self._known[id(value)][0])
            return
        self._known[id(value)] = len(self._known), value
        match value:
            case FunctionType():
                self._function(inspect.unwrap(value))
            case MethodType():
                self.at(value.__func__)
                self.at(value.__self__)
            case staticmethod() | classmethod():
                self.at(value.__func__)
            case property():
                self._each([value.fget, value.fset])
            case partial():
                self._each([value.func, value.args, value.keywords])
            case type():
                self._class(value)
            case ModuleType():
                self._feed("module", value.__name__)
                self._module(value.__name__)
            case BuiltinFunctionType() | np.ufunc():
                self._feed("built in", getattr(value, "__qualname__", value))
            case Enum() | re.Pattern() | range() | slice() | np.dtype():
                self._feed(type(value).__name__, repr(value))
            case np.ndarray() | np.generic() if value.dtype.kind not in "OV":
                self._feed(value.dtype.str, value.shape)
                self.state.update(np.ascontiguousarray(value).tobytes())
            case BaseException():
                self._each([type(value), value.args])
            case list() | tuple():
                self._feed(type(value).__name__, len(value))
                self._each(value)
            case set() | frozenset():
                self._feed("set", sorted(map(repr, value)))
            case Mapping():
                self._feed("mapping", len(value))
                for key, held in value.items():
                    self._each([key, held])
            case _:
                self._object(value)

    def _each(self, values: Any) -> None:
        for value in values:
            self.at(value)

    def _object(self, value: Any) -> None:
        kind = type(value)
        torch = sys.modules.get("torch")
        if torch and isinstance(value, torch.device | torch.dtype):
            self._feed(str(value).partition(":")[0])
        elif torch and isinstance(value, torch.Tensor) and value.layout is torch.strided:
            self._feed("tensor", value.dtype, tuple(value.shape))
            flat = value.detach().cpu().contiguous().reshape(-1)
            self.state.update(flat.view(torch.uint8).numpy().tobytes())
        elif hasattr(value, "__dict__") and all(_is_python(base) for base in kind.__mro__[:-1]):
            self.at(kind)
            self.at(vars(value))
        else:
            self._feed(kind.__module__, kind.__qualname__)
            self._doubt(f"{kind.__module__}.{kind.__qualname__}, which it uses, cannot be compared")

    def _class(self, kind: type) -> None:
        self._feed("class", kind.__module__, kind.__qualname__)
        if not self._module(kind.__module__):
            return
        for base in kind.__mro__[1:-1]:
            self.at(base)
        for name, value in vars(kind).items():
            inner = getattr(value, "__func__", value)
            is_data = not (name.startswith("__") or name in self.ignored or _is_slot(value))
            if is_data or isinstance(inner, FunctionType | property):
                self._feed(name)
                self.at(value)

    def _function(self, function: FunctionType) -> None:
        code = function.__code__
        self._feed("function", function.__module__, code.co_qualname, code.co_firstlineno)
        if not self._module(function.__module__ or ""):
            return
        if code.co_name == "<lambda>":
            self._doubt("the model uses a lambda")
        file = Path(code.co_filename)
        if not file.is_file():
            self._doubt(f"the source of {code.co_qualname} is not in a file", always=True)
        elif code not in _codes(file.read_bytes(), str(file)):
            self._doubt(f"{file} has changed since it was imported", always=True)
        self._each([function.__defaults__, function.__kwdefaults__])
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            if isinstance(content, np.ndarray) or hasattr(content, "detach"):
                self._doubt(f"{code.co_qualname} uses an array of the function around it")
            self.at(content)
        for name in _names(code):
            if name in function.__globals__ and not hasattr(builtins, name):
                self._feed(name)
                self.at(function.__globals__[name])

    def _module(self, name: str) -> bool:
        """Take in a module and those it imports; whether it is the user's own."""
        parent = name.rpartition(".")[0]
        if parent:
            self._module(parent)
        if _is_ours(name) or _is_standard(name):
            return False
        if name in self._visited:
            return name in self.modules
        self._visited.add(name)
        module = sys.modules.get(name)
        file = _file_of(name)
        if file is None:
            if module is None or not hasattr(module, "__path__"):
                self._doubt(f"module {name!r} has no source file", always=module is not None)
            return module is not None
        if not _is_users(file):
            return False
        self.modules[name] = digest = sha256(file)
        if module is not None and _seen.setdefault(module, digest) != digest:
            self._doubt(f"{file} has changed since it was imported", always=True)
        if file.suffix == ".py":
            package = name if file.stem == "__init__" else parent
            for imported in self._read(file, package):
                if imported in sys.modules or _file_of(imported):
                    self._module(imported)
        return True

    def _read(self, file: Path, package: str) -> Iterator[str]:
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
                case ast.Constant(value=str() as text) if _WEIGHTS.fullmatch(text):
                    self._file(text, self._folder)
                    self._file(text, file.parent)
                case ast.Call(func=ast.Name(id=called)) if called in _RUNS_OTHER_CODE:
                    self._doubt(
                        f"{called} in {file}, line {node.lineno}, may run any code", always=True
                    )
                case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if (
                    called in _IMPORTS_BY_NAME
                ):
                    match node.args:
                        case [ast.Constant(value=str() as imported)] if called == "import_module":
                            yield imported
                        case _:
                            self._doubt(
                                f"{called} in {file}, line {node.lineno}, may run any code",
                                always=True,
                            )

    def _file(self, text: str | Path, folder: Path) -> None:
        """Take in the content of a file that a text names."""
        named = str(text)
        if not named or len(named) > 4096 or "\0" in named or _IMAGE.fullmatch(named):
            return
        path = folder / text
        try:
            if path.is_file():
                self.files[path.name] = digest = sha256(path)
                self._feed(digest)
            elif path.is_dir() and isinstance(text, Path):
                for inside in sorted(path.rglob("*")):
                    status = inside.stat()
                    self._feed(inside.relative_to(path), status.st_size, status.st_mtime_ns)
        except OSError:
            return


def _file_of(name: str) -> Path | None:
    """The source file of a module, imported or not."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    parent = name.rpartition(".")[0]
    if module is None and name and (not parent or hasattr(sys.modules.get(parent), "__path__")):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return None
        file = spec.origin if spec and spec.has_location else None
    return Path(file) if file and Path(file).is_file() else None


def _names(code: CodeType) -> list[str]:
    """Names of attributes and globals in a function and the functions inside it."""
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c)]
    return [*code.co_names, *inner]


def _is_python(kind: type) -> bool:
    """Whether a class is written in Python, so that its instances' values can be listed."""
    return bool(kind.__flags__ & (1 << 9))  # Py_TPFLAGS_HEAPTYPE


def _is_slot(value: object) -> bool:
    return inspect.isdatadescriptor(value) and not isinstance(value, property)
