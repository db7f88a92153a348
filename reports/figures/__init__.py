"""Figures: one small module each, with ``figure(...)`` that gives it and ``draw`` that writes it.

The command line finds ``draw(runs, path, **options)`` through the entry points
``alignbench.figures``; its options are those of ``figure``. Colours are told apart by the
colour-blind and, by dashes, markers, hatches and lightness, in grey print. Names of models and
files are text, never formulas.
"""
