"""Figures: a small module each, with ``figure(...) -> Figure`` and the command ``draw``.

Commands are registered in the group ``alignbench.figures``. Colours are told apart by the
colour-blind and, with dashes, markers, hatches and lightness, in grey print. Names of models and
files are text, never formulas.
"""
