"""Figures: a small module each, with ``figure(...)`` and the command ``draw``.

Every ``figure`` of runs takes ``runs`` on one data set and split; ``subset`` and ``normaliser``, by
default the data set's usual one; ``data_root``, where the data set lies, as
:func:`alignbench.load_dataset` takes it; and ``into``, a figure or sub-figure of the caller's to
draw into instead of a new one. It raises InputError if the runs are of different data
sets, there is no such subset or normaliser, or what it needs of the data set is not there.

Commands are registered in the group ``alignbench.figures``. The colour-blind can tell the colours
apart; in grey print, dashes, markers, hatches and lightness tell them apart. Names of models and
files are text, never formulas.
"""
