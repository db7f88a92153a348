"""Files of weights: safetensors that say which network they belong to.

The header holds the model's name, its options and its crop settings, so that a file is all that
is needed to run it. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from alignbench import InputError
from alignbench.io.files import write_atomic
from alignbench.io.notation import parse_json
from alignbench.predictors.settings import CropSettings, settings_error

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds.

    Attributes
    ----------
    state
        Tensors by name.
    model, options, settings
        The model's name, its network's options as JSON, and its crop; None in a file that does
        not say.
    """

    state: State
    model: str | None = None
    options: dict[str, Any] | None = None
    settings: CropSettings | None = None


def save(
    path: Path,
    network: nn.Module,
    model: str,
    options: Mapping[str, Any],
    settings: CropSettings,
) -> None:
    """Write a network's weights with what is needed to run them.

    Parameters
    ----------
    options
        Of the network, as JSON; the mark-up by its name.
    """
    header = {
        "model": model,
        "options": json.dumps(dict(options), sort_keys=True),
        "settings": settings.model_dump_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(path, _in_order(serialise(state, header)))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its header sorted: as it is written, the order is by chance.

    The same weights are the same bytes, then, and have the same hash.
    """
    size, rest = int.from_bytes(content[:8], "little"), content[8:]
    written = json.loads(rest[:size])
    header = json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + rest[size:]


def read(path: Path) -> Checkpoint:
    """What a safetensors file, or a file of ``torch.save``, holds.

    Raises
    ------
    InputError
        If it is neither, is damaged, or would have to be unpickled.
    """
    if path.suffix in (".pth", ".pt", ".tar"):
        return Checkpoint(_torch_state(path))
    try:
        with safe_open(path, framework="pt") as stored:
            header = stored.metadata() or {}
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        options = parse_json(header["options"]) if "options" in header else None
        if not isinstance(options, dict | None):
            raise InputError(f"{path}, options in its header", f"{options!r}", "names and values")
        settings = header.get("settings")
        return Checkpoint(
            state,
            header.get("model"),
            options,
            CropSettings.model_validate_json(settings) if settings else None,
        )
    except ValidationError as error:
        raise settings_error(path, error) from error
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            path, f"is not a file of weights ({error})", ".safetensors, or .pth of tensors alone"
        ) from error


def _torch_state(path: Path) -> State:
    try:
        # From memory: reading a file, torch takes as much of it as the file claims to have.
        stored = io.BytesIO(path.read_bytes())
        content = torch.load(stored, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            path,
            "cannot be read as weights: damaged, or holds more than tensors, which could run code",
            "a file of tensors alone, by torch.save",
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(
            path,
            "cannot be read as weights: no whole file of torch.save",
            "a file of tensors alone, by torch.save",
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(map(_is_plain, state.values())):
        raise InputError(path, "holds no state dict", "tensors by name, or 'state_dict' with them")
    # Networks trained on several GPUs carry a prefix.
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _is_plain(value: object) -> bool:
    """Whether it is a tensor with a number in memory for each element."""
    return isinstance(value, Tensor) and not value.is_meta and value.layout is torch.strided


def fill(network: nn.Module, state: State, where: object) -> None:
    """Load weights into a network; every tensor must be there, fit, and be known.

    Raises
    ------
    InputError
        With the first tensor that is missing, left over or of another shape.
    """
    wanted = network.state_dict()
    # Counts of batches seen are no weights; files from before they existed lack them.
    counts = {name for name in wanted if name.endswith("num_batches_tracked")}
    kind = type(network).__name__
    same = (
        "Check that model, mark-up and options are those it was trained with; of a file that does "
        "not say them, they stand behind ':', as in propnet:stacks=2."
    )
    if missing := sorted(wanted.keys() - state.keys() - counts):
        found = f"{len(missing):,} of {len(wanted):,} tensors of {kind} are missing, {missing[0]}"
        raise InputError(where, f"{found} first", remedy=same)
    if surplus := sorted(state.keys() - wanted.keys()):
        found = f"{len(surplus):,} tensors are none of {kind}'s, {surplus[0]} first"
        raise InputError(where, found, remedy=same)
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise InputError(
                f"{where}, {name}", f"shape {tuple(tensor.shape)}",
                f"{tuple(wanted[name].shape)}", same,
            )  # fmt: skip
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{where}, {name}", "holds values that are not finite")
    network.load_state_dict(dict(state), strict=False)


def digest(network: nn.Module) -> str:
    """sha256 of a network's weights, for one that comes from no file."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.contiguous().cpu().numpy().tobytes())
    return found.hexdigest()
