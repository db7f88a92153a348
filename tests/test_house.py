"""No landmark index is written as a literal outside ``alignbench/markups/``.

What counts as one: a whole number of 5 to 97 in a subscript (but for the one end of a plain
slice: ``text[:40]`` shortens) or as an argument of range, arange, slice or take; or a tuple, list
or set of whole numbers of 0 to 97, two or more, one of which is 5 or more. Sizes and the like
that look the same are excused on their line with ``# not landmarks``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for package in ("alignbench", "baselines", "reports")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.parent != ROOT / "alignbench" / "markups"
]
EXCUSE = "# not landmarks"


def _whole(node: ast.AST, low: int) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and low <= node.value <= 97


def _shortens(index: ast.AST) -> bool:
    """Whether an index is a plain slice with one end."""
    return isinstance(index, ast.Slice) and (index.lower is None or index.upper is None)


def landmark_literals(source: str) -> list[int]:
    """Lines of a source text with what looks like landmark indices."""
    suspects = set()
    for node in ast.walk(ast.parse(source)):
        types = isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Annotated"
        if isinstance(node, ast.Subscript) and not (types or _shortens(node.slice)):
            suspects |= {n.lineno for n in ast.walk(node.slice) if _whole(n, 5)}
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("range", "arange", "slice", "take"):
                suspects |= {n.lineno for n in node.args if _whole(n, 5)}
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            whole = [n for n in node.elts if _whole(n, 0)]
            if len(whole) >= 2 and len(whole) == len(node.elts):
                suspects |= {n.lineno for n in whole if _whole(n, 5)}
    lines = source.splitlines()
    return sorted(line for line in suspects if EXCUSE not in lines[line - 1])


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_landmark_literal(path):
    lines = landmark_literals(path.read_text(encoding="utf-8"))
    assert not lines, f"{path}: lines {lines} look like landmark indices; use a Markup"


INDICES = (
    "d = p[:, 60] - p[:, 72]", "eyes = [36, 37, 38]", "x = points[36:42]", "pairs = {8, 9, 16}",
    "corners = (36, 45)", "normaliser = {'inter_ocular': (60, 72)}",
    "eye = p[:, list(range(36, 42))]", "eye = p.take(36, axis=1)",
)  # fmt: skip
OTHERS = (
    "box = p[:, :2]", "size = (256, 256, 3)", "text[:40]", "shape = (0, 1, 2)", "n = 68",
    "x = f(68)",
)  # fmt: skip


@pytest.mark.parametrize("source", (*INDICES, *OTHERS))
def test_the_check_tells_indices_from_other_numbers(source):
    assert landmark_literals(source) == ([1] if source in INDICES else [])
