"""Runs: evaluating a predictor on a data set, and the folder that keeps the result.

What is public is found in :mod:`alignbench`. Nothing is imported here, because reading a run needs
none of what makes one.
"""
