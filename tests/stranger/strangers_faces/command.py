"""A command: it writes the faces of the data set, and predictions for them."""

from pathlib import Path
from typing import Annotated

import typer


def draw_ellipses(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    noise: Annotated[
        float, typer.Option(metavar="F", help="Pixels of noise in predictions.")
    ] = 2.0,
) -> None:
    """Write eight faces of 106 points, and predictions with noise.

    For example:
      alignbench draw-ellipses --out faces
    """
    import numpy as np

    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 106, endpoint=False)
    out.mkdir(parents=True, exist_ok=True)
    head = ",".join(f"{axis}{k}" for k in range(106) for axis in "xy")
    truth, predicted = [f"id,{head}"], []
    for k in range(8):
        name = f"face{k}" + "-glasses" * (k % 2)
        face = 100 + (50 + 5 * k) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        truth.append(f"{name}," + ",".join(f"{value:.2f}" for value in face.ravel()))
        found = face + rng.normal(0, noise, face.shape)
        predicted.append(f"{name}: " + " ".join(f"{value:.2f}" for value in found.ravel()))
    (out / "test.csv").write_text("\n".join(truth) + "\n", encoding="utf-8")
    (out / "predictions.lm").write_text("\n".join(predicted) + "\n", encoding="utf-8")
    typer.echo(f"Eight faces and predictions for them written to {out}")
