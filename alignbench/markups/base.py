"""What a landmark mark-up is: how many landmarks there are, and what each of them marks.

*Left* and *right* are those of the image, not of the person. Landmarks are counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np

from alignbench.arrays import Ints
from alignbench.exceptions import InputError, unknown

Indices = tuple[int, ...]


@dataclass(frozen=True)
class Markup:
    """A landmark mark-up; registered under the entry-point group ``alignbench.markups``.

    Only the name and the number of landmarks are required. Flip pairs are needed to mirror a face,
    chains to draw or learn boundaries. Without normalisers, errors are divided by ``box`` and
    ``diagonal`` alone.

    Attributes
    ----------
    name
        Name in run records and on the command line.
    landmarks
        Number of landmarks L.
    regions
        Parts of the face; together they hold every landmark exactly once.
    flip_pairs
        Pairs of landmarks that change places when the image is mirrored left to right.
    normalisers
        Name to two lists of landmarks; the distance between their means is the normaliser.
    chains
        Boundaries as ordered lists of landmarks. A single landmark is a dot.
    conversions
        Name of another mark-up to one list for each of its landmarks: the landmarks of this mark-up
        whose mean it is. A landmark that occurs twice in the list counts twice.
    approximate
        Name of such a mark-up to those of its landmarks that the conversion only approximates,
        because no landmark of this mark-up marks the same place.

    Raises
    ------
    InputError
        If a landmark does not exist, regions do not hold every landmark once, a landmark is in
        two flip pairs, or there is no conversion whose landmarks are approximate.
    """

    name: str
    landmarks: int
    regions: Mapping[str, Indices] = field(default_factory=dict)
    flip_pairs: tuple[tuple[int, int], ...] = ()
    normalisers: Mapping[str, tuple[Indices, Indices]] = field(default_factory=dict)
    chains: Mapping[str, Indices] = field(default_factory=dict)
    conversions: Mapping[str, tuple[Indices, ...]] = field(default_factory=dict)
    approximate: Mapping[str, Indices] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """One line for lists."""
        normalisers = ", ".join([*self.normalisers, "box", "diagonal"])
        return f"{self.landmarks} landmarks; normalisers {normalisers}."

    def __post_init__(self) -> None:
        where = f"mark-up {self.name!r}"
        groups: dict[str, list[tuple[int, ...]]] = {
            "regions": list(self.regions.values()),
            "flip_pairs": list(self.flip_pairs),
            "normalisers": list(chain.from_iterable(self.normalisers.values())),
            "chains": list(self.chains.values()),
            "conversions": list(chain.from_iterable(self.conversions.values())),
        }
        for part, lists in groups.items():
            _check_lists(f"{where}, {part}", lists, self.landmarks)
        for target, landmarks in self.approximate.items():
            if target not in self.conversions:
                raise unknown(f"{where}, approximate", target, self.conversions)
            count = len(self.conversions[target])
            _check_lists(f"{where}, approximate landmarks of {target}", [landmarks], count)
        members = sorted(chain.from_iterable(self.regions.values()))
        if members and members != list(range(self.landmarks)):
            found = f"{len(members)} landmarks, {len(set(members))} different"
            accepted = f"each of the {self.landmarks} landmarks once"
            raise InputError(f"{where}, regions", found, accepted)
        paired = list(chain.from_iterable(self.flip_pairs))
        if len(set(paired)) < len(paired):
            raise InputError(f"{where}, flip_pairs", "a landmark in two pairs", "each once at most")

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def flip_order(self) -> Ints:
        """Permutation (L,): landmark ``i`` of a mirrored face is ``flip_order[i]`` of the face."""
        order = np.arange(self.landmarks)
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order


def part_of(markup: Markup, kept: Indices, name: str) -> Markup:
    """The mark-up of some landmarks of another, in this order.

    Regions and chains keep what is left of them; flip pairs and normalisers that lack a landmark
    are left out.
    """
    place = {landmark: k for k, landmark in enumerate(kept)}

    def keep(group: Indices) -> Indices:
        return tuple(place[landmark] for landmark in group if landmark in place)

    def keep_all(groups: Mapping[str, Indices]) -> dict[str, Indices]:
        return {title: left for title, group in groups.items() if (left := keep(group))}

    return Markup(
        name,
        len(kept),
        keep_all(markup.regions),
        tuple((place[a], place[b]) for a, b in markup.flip_pairs if {a, b} <= place.keys()),
        {
            title: (keep(left), keep(right))
            for title, (left, right) in markup.normalisers.items()
            if {*left, *right} <= place.keys()
        },
        keep_all(markup.chains),
    )


def _check_lists(where: str, lists: Sequence[Indices], landmarks: int) -> None:
    """Raise InputError for an empty list, or one with a landmark that does not exist."""
    for landmark in chain.from_iterable(lists):
        if not 0 <= landmark < landmarks:
            raise InputError(where, f"landmark {landmark}", f"0 to {landmarks - 1}")
    if not all(lists):
        raise InputError(where, "an empty list", "one landmark or more")


def span(first: int, last: int) -> Indices:
    """The landmarks from ``first`` to ``last``, both included."""
    return tuple(range(first, last + 1))


def pairs(left: Indices, right: Indices) -> tuple[tuple[int, int], ...]:
    """Flip pairs of landmarks that stand at the same place of two lists."""
    return tuple(zip(left, right, strict=True))
