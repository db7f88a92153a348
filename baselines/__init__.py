"""Baseline models. Plug into alignbench through entry points."""
