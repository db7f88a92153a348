"""``python -m alignbench``, and ``torchrun -m alignbench``."""

from alignbench.cli import main

main()
