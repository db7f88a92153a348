"""One of several processes that draw faces: its lines on standard output are read by ``write``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2

from alignbench.synthetic.write import draw_file


def main(folder: str, split: str, seed: int, first: int, stop: int, step: int) -> None:
    """Draw every ``step``-th face from ``first`` on."""
    cv2.setNumThreads(1)
    for index in range(first, stop, step):
        row = draw_file(Path(folder), split, index, seed)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
