"""AWing's released checkpoint (``WFLW_4HG.pth``) as weights of our AWing."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from torch import Tensor

from alignbench.predictors.settings import Output
from baselines.checkpoints import Checkpoint, State

OUTPUT = Output(kind="heatmaps", decoder="quarter", origin="frame")
"""The released code treats annotated coordinates as if they were counted from the window's edge,
both when it draws its maps and when it reads them. To undo this, half a pixel of the image is
added. The code also takes the window for larger than it is
(:func:`baselines.awing.boxes.awing_frames`). With the boxes ``awing-official`` this is undone for
every face. With other boxes it is not, because their windows are not cut to whole pixels: landmarks
then lie 0.4 pixels of the image too far left and up on average."""

_BLOCK = {
    "bn1": "near.0", "conv1": "near.2",
    "bn2": "wider.0", "conv2": "wider.2",
    "bn3": "widest.0", "conv3": "widest.2",
    "downsample.0": "skip.0", "downsample.2": "skip.2",
}  # fmt: skip
"""Layers of a multi-view block: the released code's names to ours."""

_PLACES = {
    r"conv1\.conv": "stem.conv.conv", r"bn1": "stem.bn",
    r"m(\d+)\.coordconv\.conv": r"stages.\1.coordconv.conv",
    r"conv_last(\d+)": r"stages.\1.conv", r"bn_end(\d+)": r"stages.\1.bn",
    r"l(\d+)": r"stages.\1.head",
    r"bl(\d+)": r"merges.\1.features", r"al(\d+)": r"merges.\1.heatmaps",
}  # fmt: skip
"""Single layers: patterns of the released code's names, and ours."""

_DEPTH = 4
_HOURGLASS = {"b1": "skip", "b2": "down", "b2_plus": "inner", "b3": "up"}


def adapt(checkpoint: Checkpoint, names: Collection[str]) -> Checkpoint:
    """The released checkpoint under our names and with its settings; any other is not changed.

    AWing's own code ignores tensors that it does not know, and so does this: only ``names`` are
    kept.
    """
    if "conv1.conv.weight" not in checkpoint.state:
        return checkpoint
    renamed = rename(checkpoint.state)
    state = {name: renamed[name] for name in names if name in renamed}
    settings = checkpoint.settings
    assert settings is not None
    return replace(checkpoint, state=state, settings=settings.model_copy(update={"output": OUTPUT}))


def rename(state: State) -> dict[str, Tensor]:
    """The same tensors under our names; an unknown name stays as it is."""
    return {_rename(name): tensor for name, tensor in state.items()}


def _rename(name: str) -> str:
    for pattern, place in _PLACES.items():
        if match := re.fullmatch(pattern + r"\.(\w+)", name):
            return f"{match.expand(place)}.{match[match.re.groups]}"
    if match := re.fullmatch(r"conv([234])\.(.+)", name):
        return f"stem.block{int(match[1]) - 1}.{_in_block(match[2])}"
    if match := re.fullmatch(r"m(\d+)\.(b1|b2_plus|b2|b3)_(\d)\.(.+)", name):
        stage, part, level, rest = match.groups()
        # Their level 4 is the outermost, 1 the innermost.
        inner = "inner." * (_DEPTH - int(level))
        return f"stages.{stage}.hourglass.{inner}{_HOURGLASS[part]}.{_in_block(rest)}"
    if match := re.fullmatch(r"top_m_(\d+)\.(.+)", name):
        return f"stages.{match[1]}.top.{_in_block(match[2])}"
    return name


def _in_block(name: str) -> str:
    layer, _, rest = name.rpartition(".")
    return f"{_BLOCK.get(layer, layer)}.{rest}"
