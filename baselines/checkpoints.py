"""Files of weights: safetensors that say which network they belong to.

The header holds the model's name, its options and its crop settings, so that the file alone is
enough to run it. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from alignbench import InputError
from alignbench.io.files import write_atomic
from alignbench.io.models import model_error
from alignbench.io.notation import parse_json
from alignbench.predictors.settings import SHOWN, CropSettings

State = Mapping[str, Tensor]
Storage = Literal["float32", "float16"]
"""Type of the parameters in a file of weights; networks have float32."""
_TENSORS = "a file of tensors alone, by torch.save"


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds: tensors by name, and what they are weights of.

    That is the model's name, its network's options as JSON and its crop; None where the file does
    not hold them.
    """

    state: State
    model: str | None = None
    options: dict[str, Any] | None = None
    settings: CropSettings | None = None

    @property
    def storage(self) -> Storage:
        """The type of its parameters: float16 if any tensor has that type."""
        half = any(tensor.dtype == torch.float16 for tensor in self.state.values())
        return "float16" if half else "float32"


def save(
    path: Path,
    network: nn.Module,
    model: str,
    options: Mapping[str, Any],
    settings: CropSettings,
    storage: Storage = "float32",
) -> None:
    """Write a network's weights with its options, as JSON, and its crop settings.

    With ``storage="float16"`` a file has half the size. The statistics of batch normalisation are
    float32 all the same: they are few, and may be too large or too small for float16.

    Raises InputError if a parameter is too large for float16.
    """
    header = {
        "model": model,
        "options": json.dumps(dict(options), sort_keys=True),
        "settings": settings.model_dump_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if storage == "float16":
        state |= {name: _halve(name, tensor) for name, tensor in network.named_parameters()}
    write_atomic(path, _sort_header(serialise(state, header)))


def _halve(name: str, tensor: Tensor) -> Tensor:
    """A parameter as float16."""
    half = tensor.detach().to(torch.float16).contiguous()
    if not half.isfinite().all():
        largest = torch.finfo(torch.float16).max
        raise InputError(
            f"weights, {name}", f"{tensor.abs().max().item():g} is too large for float16",
            f"at most {largest:,.0f}", "Store float32.",
        )  # fmt: skip
    return half


@torch.no_grad()
def round_parameters(network: nn.Module, storage: Storage) -> None:
    """Round a network's parameters to what a file of this storage gives back."""
    if storage == "float16":
        for name, parameter in network.named_parameters():
            parameter.copy_(_halve(name, parameter))


def _sort_header(content: bytes) -> bytes:
    """A safetensors file with its header sorted, so that the same weights have the same hash.

    The library writes the header in an order that changes from one call to the next.
    """
    size, rest = int.from_bytes(content[:8], "little"), content[8:]
    header = json.dumps(json.loads(rest[:size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + rest[size:]


def read(path: Path) -> Checkpoint:
    """What a safetensors file, or a file of ``torch.save``, holds.

    Raises InputError if it is neither, is damaged, or would have to be unpickled.
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
        raise model_error(path, error, CropSettings, SHOWN) from error
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            path, f"is not a file of weights ({error})", ".safetensors, or .pth of tensors alone"
        ) from error


def _torch_state(path: Path) -> State:
    try:
        # From memory: from a file, torch would take as much memory as the file claims to need.
        stored = io.BytesIO(path.read_bytes())
        content = torch.load(stored, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = "damaged, or holds more than tensors, which could run code"
        raise InputError(path, f"cannot be read as weights: {what}", _TENSORS) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        what = "no whole file of torch.save"
        raise InputError(path, f"cannot be read as weights: {what}", _TENSORS) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, Mapping) or not all(map(_is_plain, state.values())):
        raise InputError(path, "holds no state dict", "tensors by name, or 'state_dict' with them")
    # Names from a training on several GPUs have a prefix.
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _is_plain(value: object) -> bool:
    """Whether it is a tensor that has each of its elements in memory."""
    return isinstance(value, Tensor) and not value.is_meta and value.layout is torch.strided


def fill(network: nn.Module, state: State, where: object) -> None:
    """Load weights into a network.

    Raises InputError if a tensor is missing, unknown, of another shape or not finite; the first
    one is named.
    """
    expected = network.state_dict()
    # The counts of batches are not weights, and older files lack them.
    counts = {name for name in expected if name.endswith("num_batches_tracked")}
    kind = type(network).__name__
    remedy = (
        "Check that model, mark-up and options are those it was trained with. For a file that "
        "does not hold them, give them after ':', as in propnet:stacks=2."
    )
    if missing := sorted(expected.keys() - state.keys() - counts):
        number = f"{len(missing):,} of {len(expected):,} tensors of {kind}"
        raise InputError(where, f"{number} are missing, {missing[0]} first", remedy=remedy)
    if surplus := sorted(state.keys() - expected.keys()):
        number = f"{len(surplus):,} tensors are none of {kind}'s"
        raise InputError(where, f"{number}, {surplus[0]} first", remedy=remedy)
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{where}, {name}", f"shape {tuple(tensor.shape)}",
                f"{tuple(expected[name].shape)}", remedy,
            )  # fmt: skip
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{where}, {name}", "holds values that are not finite")
    network.load_state_dict(dict(state), strict=False)


def digest(network: nn.Module) -> str:
    """sha256 of the weights of a network that comes from no file."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.contiguous().cpu().numpy().tobytes())
    return total.hexdigest()
