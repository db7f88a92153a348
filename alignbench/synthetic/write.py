"""Faces as a data set on disk, in WFLW's official layout with what WFLW cannot say beside it.

``synthetic.json`` says what was drawn; ``WFLW_annotations/visible_{split}.txt`` has 98 zeros and
ones a face, ``WFLW_annotations/conditions_{split}.csv`` the numbers behind the attributes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np

from alignbench.datasets.base import Progress
from alignbench.datasets.wflw import IMAGES, LIST
from alignbench.exceptions import InputError
from alignbench.formats.face_list import ATTRIBUTES
from alignbench.synthetic.face import Face, draw_face
from alignbench.threads import count

FACES, HEADS = "faces", "heads"
"""The generators: the parametric head of :mod:`alignbench.synthetic.head`, and MakeHuman's."""
VERSIONS = {FACES: 3, HEADS: 2}
"""Versions of the generators; raise one whenever a face of that generator would change."""

MANIFEST = "synthetic.json"
VISIBLE = "WFLW_annotations/visible_{split}.txt"
CONDITIONS = "WFLW_annotations/conditions_{split}.csv"
SUBSET_LIST = "WFLW_annotations/list_98pt_test/list_98pt_test_{subset}.txt"
STREAMS = {"train": 0, "test": 1, "validation": 2, "sample": 3}
"""Number of each split: no face of one split shares its random stream with one of another."""

_SUBSET_FILES = {"pose": "largepose", "make-up": "makeup"}

Row = dict[str, Any]


def write(
    folder: Path, faces: dict[str, int], seed: int, progress: Progress, generator: str = FACES
) -> None:
    """Draw the faces of each split into a folder.

    A face depends on seed, split and index alone: more faces, other splits or another number of
    processes change none of the others.

    Parameters
    ----------
    progress
        Called with (faces drawn, faces in all).
    """
    _drawing(generator)
    done, total = 0, sum(faces.values())
    progress(done, total)
    for split, number in faces.items():
        rows: list[Row] = [{}] * number
        for row in _draw(folder, split, number, seed, generator):
            rows[row["index"]] = row
            done += 1
            progress(done, total)
        _write_lists(folder, split, rows)
    drawn_by = {"opencv": cv2.__version__, "numpy": np.__version__}
    manifest = {
        "generator": generator, "version": VERSIONS[generator], "seed": seed, "faces": faces,
        "drawn_by": drawn_by,
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _draw(folder: Path, split: str, number: int, seed: int, generator: str) -> Iterator[Row]:
    """What is to be listed of each face, in the order they get ready."""
    workers = min(count(), number)
    if workers == 1:
        for index in range(number):
            yield draw_file(folder, split, index, seed, generator)
        return
    # Drawing holds Python's lock most of the time, so processes share the work instead of threads.
    # They are not those of multiprocessing, which would run a user's script again.
    ready: SimpleQueue[Row | None] = SimpleQueue()
    processes = [
        subprocess.Popen(  # noqa: S603 (our own module, by this interpreter)
            [sys.executable, "-m", "alignbench.synthetic.write", str(folder), split, generator,
             str(seed), str(first), str(number), str(workers)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )
        for first in range(workers)
    ]  # fmt: skip
    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting = [pool.submit(_follow, process, ready) for process in processes]
            running = workers
            while running:
                row = ready.get()
                if row is not None:
                    yield row
                    continue
                running -= 1
                for future in waiting:
                    if future.done():
                        future.result()
        finally:
            # If one process failed, the others are of no more use.
            for process in processes:
                process.kill()


def _follow(process: subprocess.Popen[str], ready: SimpleQueue[Row | None]) -> None:
    """Hand on the line that a drawing process prints for each face, and None at its end."""
    try:
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                ready.put(json.loads(line))
            messages = process.stderr.read().strip().splitlines()
        if process.returncode:
            raise InputError(
                "drawing faces",
                f"a process stopped with status {process.returncode}: {' '.join(messages[-1:])}",
                remedy="Try again; --threads 1 draws in one process.",
            )
    finally:
        ready.put(None)


def _drawing(generator: str) -> Callable[[int, int, int], Face]:
    """Draws a face by seed, number of the split and index.

    Raises
    ------
    InputError
        If the files the generator needs are not there.
    """
    if generator == FACES:
        return draw_face
    from alignbench.synthetic.heads import anatomy  # its files exist only if heads are wanted
    from alignbench.synthetic.heads.draw import draw_head

    anatomy.load()
    return draw_head


def draw_file(folder: Path, split: str, index: int, seed: int, generator: str) -> Row:
    """Draw one face's image into the folder; gives what is to be listed of it."""
    face = _drawing(generator)(seed, STREAMS[split], index)
    name = f"{split}/{index // 1000:03d}/{index:06d}.jpg"
    path = folder / IMAGES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(face.jpeg)
    flags = (int(face.attributes[name]) for name in ATTRIBUTES)
    return {
        "index": index,
        "coordinates": " ".join(f"{x:.3f}" for x in face.points.ravel()),
        "rest": " ".join([*(f"{x:.0f}" for x in face.box), *map(str, flags)]),
        "image": name,
        "visible": " ".join(map(str, face.visible.astype(int))),
        "conditions": {name: round(value, 6) for name, value in face.conditions.items()},
    }


def _write_lists(folder: Path, split: str, rows: list[Row]) -> None:
    def put(path: str, lines: list[str]) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    put(LIST.format(split=split), [f"{r['coordinates']} {r['rest']} {r['image']}" for r in rows])
    put(VISIBLE.format(split=split), [row["visible"] for row in rows])
    names = list(rows[0]["conditions"]) if rows else []
    values = [[r["image"], *(f"{r['conditions'][name]:g}" for name in names)] for r in rows]
    put(CONDITIONS.format(split=split), [",".join(cells) for cells in (["image", *names], *values)])
    if split == "test":
        for k, attribute in enumerate(ATTRIBUTES):
            members = [r for r in rows if r["rest"].split()[4 + k] == "1"]
            path = SUBSET_LIST.format(subset=_SUBSET_FILES.get(attribute, attribute))
            put(path, [f"{r['coordinates']} {r['image']}" for r in members])


def main(folder: str, split: str, generator: str, *numbers: str) -> None:
    """One of several processes: draw every ``step``-th face from ``first`` on, a line for each."""
    seed, first, stop, step = map(int, numbers)
    cv2.setNumThreads(1)
    for index in range(first, stop, step):
        row = draw_file(Path(folder), split, index, seed, generator)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
