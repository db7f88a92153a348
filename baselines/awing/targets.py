"""What AWing learns: the boundaries that it merges in one map."""

from __future__ import annotations

from alignbench.markups import Markup
from alignbench.markups.base import Indices

_LEFT_OUT = {
    "wflw98": ("left_brow_lower", "right_brow_lower"),
    "cofw29": ("nose_upper", "chin"),
}


def chains(markup: Markup) -> dict[str, Indices]:
    """The boundaries of a mark-up that AWing draws; of a mark-up it does not know, all."""
    left_out = _LEFT_OUT.get(markup.name, ())
    return {name: chain for name, chain in markup.chains.items() if name not in left_out}
