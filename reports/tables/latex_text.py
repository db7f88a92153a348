"""Texts for LaTeX: nothing in them is a command, and its usual fonts have all of it."""

from __future__ import annotations

import re
import unicodedata

from alignbench.exceptions import visible

_WORD = 14
"""Letters of a word in a broken text after which a line may end."""
_BREAK = "\N{ZERO WIDTH SPACE}"
"""Where a word may be broken. Text from outside has none: ``visible`` spells it out."""
_LATEX = {
    _BREAK: r"\hspace{0pt}",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "—": "---", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "’": "'", "‘": "`", "“": "``", "”": "''", "…": r"\dots{}",
    "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}",
    "≤": r"\ensuremath{\le}", "≥": r"\ensuremath{\ge}", "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}",
    "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d",
    "\u0327": "c",
}  # fmt: skip
"""LaTeX's command for each combining accent that its usual fonts have."""


def escape(text: str) -> str:
    """Text that LaTeX prints as it is; a character that its usual fonts lack by its number."""
    return _escape(visible(text))


def escape_breakable(text: str) -> str:
    """The same, in lines: a long word may be broken anywhere."""
    return _escape(re.sub(rf"(\S{{{_WORD}}})(?=\S)", rf"\1{_BREAK}", visible(text)))


def shown_character(character: str) -> str:
    """What LaTeX prints for a character: the character, or its number in brackets."""
    latex = _latex_character(character)
    return latex if latex.startswith("[U+") else character


def _escape(text: str) -> str:
    # LaTeX prints two of these in a row, such as --, as one other character.
    apart = re.sub(r"([-`'?!,])(?=[-`'])", "\\1\0", text)
    escaped = "".join("{}" if c == "\0" else _latex_character(c) for c in apart)
    # After the end of a row or a rule LaTeX takes these for an option.
    return "{}" + escaped if escaped[:1] in ("[", "*") else escaped


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"[U+{ord(character):04X}]"
