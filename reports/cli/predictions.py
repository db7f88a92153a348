"""``alignbench predictions``: the landmarks of a run for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import (
    DataRoot,
    as_typed,
    make_absolute,
    require_ending,
    require_one_process,
    write_text,
)
from reports.cli.options import Runs, read_runs


def _require_json(path: Path | None) -> Path | None:
    if path is not None:
        require_ending(path, (".json",))
    return make_absolute(path)


def predictions(
    runs: Runs,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE.json", callback=_require_json, help="File of results to write."),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            callback=_require_json,
            help="File of the true landmarks to write beside it; this needs the data set.",
        ),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Write the landmarks of a run as COCO keypoints.

    FiftyOne, mmpose and pycocotools read the files, and so does alignbench: as saved:FILE and
    coco:FILE. Coordinates are 0-based pixel centres. A face that was missed is left out of the
    results.

    For example:
      alignbench predictions run --out results.json --truth truth.json
    """
    from alignbench.cli.console import tell
    from alignbench.progress import show_progress
    from reports.coco import ground_truth, results
    from reports.data import evaluated_faces, require_one_run

    require_one_process("predictions")
    run = require_one_run(read_runs(runs), "alignbench predictions")
    texts = {out: json.dumps(results(run))}
    if truth is not None:
        faces = evaluated_faces(run, data_root)
        with show_progress("Reading images", "faces") as progress:
            content = ground_truth(run, faces, progress)
        if absent := sum("width" not in image for image in content["images"]):
            tell(f"{absent:,} images are not there: they have no width and height in {truth.name}.")
        texts[truth] = json.dumps(content)
    for path, text in texts.items():
        write_text(text, path)
        tell(f"Landmarks written to {as_typed(path)}")
