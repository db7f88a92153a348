"""Faces that every test of baselines may look at."""

from __future__ import annotations

import pytest

from alignbench import load_dataset, threads
from alignbench.synthetic.write import write


@pytest.fixture(scope="session")
def drawn_faces(tmp_path_factory):
    """Forty faces nobody was trained on, of another seed."""
    folder = tmp_path_factory.mktemp("faces")
    with threads.temporary_limit(1):
        write(folder, {"test": 40}, 77, lambda *_: None)
    return load_dataset("synthetic", folder)
