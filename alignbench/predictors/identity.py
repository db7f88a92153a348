"""What identifies a user's own model: source code, options, files of weights and packages.

Stored results of a model are read back only if nothing that made them can have changed. In a Python
process, other code can change anything in a model: a value that a function holds, an attribute of a
module. The command line runs no other code. There a model is identified by what it is loaded from:
its options, the source of its module and of every module of the user's own that this imports, the
files that these name, and the versions of the installed packages that they import. If one of these
cannot be seen, and in every other process, the identity is uncertain and the model runs again.
"""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from typing import Any

from alignbench.io.files import sha256
from alignbench.predictors.base import Predictor

_CODE = (".py", ".pyc")
_packages_distributions = cache(packages_distributions)


@dataclass(frozen=True)
class Identity:
    """What identifies a model.

    Attributes
    ----------
    parts
        As JSON, by name: ``options``, hashes of ``modules`` and ``files``, versions of
        ``packages``.
    certain
        Whether nothing else can change its landmarks.
    reason
        The first reason why not, as a clause; empty where it is certain.
    """

    parts: dict[str, dict[str, str]]
    certain: bool
    reason: str = ""


def identify(predictor: Predictor) -> Identity:
    """What identifies a predictor besides its ``describe()``.

    A model of alignbench itself needs nothing else: its version is in the key of a run.
    """
    origin = predictor.origin
    roots = [type(predictor), *predictor.built_from]
    homes = [_home(root) for root in roots] + ([origin.module] if origin else [])
    if all(map(_is_ours, homes)):
        return Identity({}, certain=True)
    look = _Look(origin.folder if origin else Path.cwd(), origin.loaded if origin else 0.0)
    bases = [kind for root in roots for kind in getattr(root, "__mro__", type(root).__mro__)]
    try:
        for module in [*homes, *map(_home, bases)]:
            look.add_module(module)
        for name, value in (origin.options if origin else {}).items():
            look.add_option(name, value)
    except Exception as error:  # a source that is no Python, an import hook that fails
        look.doubts.append(f"its code cannot be read ({type(error).__name__}: {error})")
    if origin is None or not _is_command_line():
        look.doubts.insert(0, "other code of this Python process may have changed the model")
    parts = {
        "options": look.options, "modules": look.modules, "packages": look.packages,
        "files": look.files,
    }  # fmt: skip
    sorted_parts = {kind: dict(sorted(part.items())) for kind, part in parts.items() if part}
    return Identity(sorted_parts, not look.doubts, *look.doubts[:1])


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


def _is_command_line() -> bool:
    """Whether this process is the command ``alignbench``, or ``python -m alignbench``."""
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return _is_ours(main.__spec__.name)
    script = Path(getattr(main, "__file__", None) or "")
    folders = {sysconfig.get_path("scripts", scheme) for scheme in sysconfig.get_scheme_names()}
    return script.stem == "alignbench" and str(script.absolute().parent) in folders


@cache
def _is_users(file: Path) -> bool:
    """Whether a file is neither of the standard library nor of an installed package."""
    paths = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    foreign = (Path(path).resolve() for path in (*paths, *site.getsitepackages()))
    file = file.resolve()
    return not {"site-packages", "dist-packages"} & set(file.parts) and not any(
        file.is_relative_to(folder) for folder in foreign
    )


def _find_spec(name: str) -> ModuleSpec | None:
    """Where a module comes from; it need not have been imported, and is not imported by this."""
    if name in sys.modules:
        return sys.modules[name].__spec__
    parent = name.rpartition(".")[0]
    if not parent:
        return importlib.util.find_spec(name)
    above = _find_spec(parent)
    places = above.submodule_search_locations if above else None
    return None if places is None else PathFinder.find_spec(name, places)


class _Look:
    """Hashes everything that a model is loaded from, and notes what it cannot see.

    ``folder`` is the working folder and ``loaded`` the time (seconds) when the model was loaded.
    """

    def __init__(self, folder: Path, loaded: float) -> None:
        self.options: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.doubts: list[str] = []
        self._folder, self._loaded = folder, loaded
        self._users: dict[str, bool] = {}

    def add_option(self, name: str, value: object) -> None:
        """Take in an option of the model's factory; a file of weights by its content alone."""
        self.options[name] = self._hash(value) if isinstance(value, Path) else repr(value)
        if isinstance(value, str):
            self._add_file(value, self._folder)

    def add_module(self, name: str) -> bool:
        """Take in a module and those it imports; whether it is the user's own."""
        if name not in self._users:
            self._users[name] = False  # preliminary; it also ends circular imports
            self._users[name] = self._add_new(name)
        return self._users[name]

    def _add_new(self, name: str) -> bool:
        top, _, _ = name.partition(".")
        if _is_ours(name) or (top != "__main__" and top in sys.stdlib_module_names):
            return False
        parent = name.rpartition(".")[0]
        if parent and not self.add_module(parent):
            return False
        spec = _find_spec(name)
        if spec is None:
            if name in sys.modules:
                self.doubts.append(f"module {name!r} has no source file")
            elif not parent:
                self.packages[name] = "not installed"
            return False
        if spec.origin is None and spec.submodule_search_locations is not None:
            return True  # a folder without __init__.py
        file = Path(spec.origin or "")
        if not (spec.has_location and file.is_file()):
            self.doubts.append(f"module {name!r} has no source file")
            return False
        if not _is_users(file):
            self._add_package(top)
            return False
        self._users[name] = True
        self.modules[name] = self._hash(file)
        if file.suffix == ".py":
            for imported in self._imports(file, name if file.stem == "__init__" else parent):
                self.add_module(imported)
        return True

    def _add_package(self, name: str) -> None:
        owners = _packages_distributions().get(name, [])
        self.packages |= {owner: version(owner) for owner in owners}
        if not owners:
            self.doubts.append(f"package {name!r} has no version")

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
                    self.doubts.append(f"{called} in {file} may run any code")
                case ast.Constant(value=str() as text):
                    self._add_file(text, self._folder)
                    self._add_file(text, file.parent)

    def _add_file(self, text: str, folder: Path) -> None:
        """Take in a file that a text names; doubt a folder, because its files are not known."""
        if not text.strip("./\\ \n"):
            return
        path = folder / text
        try:
            if path.is_file():
                hashes = self.files.get(path.name, "").split()
                self.files[path.name] = " ".join(dict.fromkeys([*hashes, self._hash(path)]))
            elif any(file.suffix not in _CODE and file.is_file() for file in path.rglob("*")):
                self.doubts.append(f"it names the folder {path}, whose files may change")
        except (OSError, ValueError):  # no path: too long, or with characters no path has
            return

    def _hash(self, file: Path) -> str:
        status = file.stat()
        if max(status.st_mtime, status.st_ctime) > self._loaded > 0:
            self.doubts.append(f"{file} has changed since the model was loaded")
        return sha256(file)
