"""Runs: evaluating a predictor on a data set, and the folder that keeps the result.

The public names are in :mod:`alignbench`. Nothing is imported here, because reading a run needs
none of the modules that make one.
"""
