"""The recipes that come with the package, found without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from alignbench.exceptions import InputError, unknown
from alignbench.io.files import require_regular
from alignbench.io.notation import parse_toml


def shipped_recipes() -> dict[str, str]:
    """Recipes of this package: name to one line."""
    recipes = recipe_files()
    return {name: read_toml("recipe", name, recipes)["about"] for name in recipes}


def recipe_files() -> dict[str, Traversable]:
    """Shipped recipes by name; a model's folder ``mini`` has those of its narrow twin."""
    recipes = {}
    for model in sorted(files("baselines").iterdir(), key=lambda entry: entry.name):
        folder = model.joinpath("recipes")
        if not folder.is_dir():
            continue
        for prefix, place in ((model.name, folder), (f"{model.name}-mini", folder / "mini")):
            for file in sorted(place.iterdir(), key=lambda entry: entry.name):
                if file.name.endswith(".toml"):
                    recipes[f"{prefix}/{file.name.removesuffix('.toml')}"] = file
    return recipes


def read_toml(kind: str, name: str | Path, shipped: Mapping[str, Traversable]) -> dict[str, Any]:
    """Content of a recipe or study: a shipped one by its name, or a TOML file.

    Raises InputError if there is none, or it cannot be read.
    """
    file: Traversable = Path(name)
    if str(name) in shipped:
        file = shipped[str(name)]
    elif file.name.endswith(".toml"):
        require_regular(Path(name))
    else:
        raise unknown(kind, str(name), shipped, "Or give a .toml file.")
    try:
        return parse_toml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(name, f"cannot be read ({error})") from error
    except ValueError as error:
        accepted = "TOML as in docs/reference/recipes.md"
        raise InputError(name, f"not TOML ({error})", accepted) from error
