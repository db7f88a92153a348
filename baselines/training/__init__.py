"""Training a model from a recipe: ``alignbench train`` and ``alignbench ablation``."""

from baselines.training.start import train

__all__ = ["train"]
