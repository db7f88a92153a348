"""Text of others, made safe to show."""

from __future__ import annotations


def visible(text: str, lines: bool = False) -> str:
    """Text with what cannot be seen, such as a terminal's commands, spelled out.

    Parameters
    ----------
    lines
        Whether line breaks stay; without, the text is on one line.
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or (lines and c == "\n")
        else " "
        if c.isspace()
        else c.encode("unicode_escape").decode()
        for c in text
    )
