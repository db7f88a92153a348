"""NumPy archives of ids and points, which every run writes."""

from __future__ import annotations

from pathlib import Path

from alignbench.arrays import join
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.formats.layout import (
    IDS,
    choose_points,
    layout_note,
    require_as_many,
    to_landmarks,
)
from alignbench.io.npz import array_claims, open_archive

_ENDING = ".npz"
_OF_A_RUN, _RECORD = "predictions.npz", "run.json"
"""Files in the folder of a run."""
_NUMBERS = IDS[:2]
"""Names of ids, which stand beside the names of images in some files."""
_REMEDY = "Write it with numpy.savez(FILE, ids=..., points=...)."


def _read(path: Path) -> StoredFaces:
    if path.is_dir():
        path = _predictions(path)
    try:
        arrays = array_claims(path)
        points_name = choose_points(path, arrays, _REMEDY)
        id_names = [name for name in IDS if name in arrays and name != points_name]
        for name in id_names:
            shape, dtype = arrays[name]
            if len(shape) != 1 or dtype.kind not in "USiu":
                raise InputError(
                    f"{path}, {name}", f"{dtype} {shape}", "texts or whole numbers (N,)",
                    f"Write {name}=numpy.array({name}, dtype=str).",
                )  # fmt: skip
        with open_archive(path, points_name, *id_names) as stored:
            points = stored[0]
            texts = {
                name: [_text(one) for rows in array.rows() for one in rows.tolist()]
                for name, array in zip(id_names, stored[1:], strict=True)
            }
            for ids in texts.values():
                require_as_many(path, len(ids), points.shape[0])
            landmarks = join(map(to_landmarks, points.rows()))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a usable .npz file ({error})", "arrays ids and points", _REMEDY
        ) from error
    ids_of_faces = next((texts[name] for name in id_names if name in _NUMBERS), None)
    images = next((texts[name] for name in id_names if name not in _NUMBERS), None)
    return StoredFaces(
        ids_of_faces if images is None else images,
        landmarks,
        ids=None if images is None else ids_of_faces,
        notes=layout_note(points.shape),
    )


def _predictions(run: Path) -> Path:
    """The file of predictions of a run."""
    file = run / _OF_A_RUN
    if not file.is_file():
        raise InputError(
            run, f"the folder of a run without its {_OF_A_RUN}", f"a run with its {_OF_A_RUN}",
            f"Copy the {_OF_A_RUN} of the run, too.",
        )  # fmt: skip
    return file


def _text(name: str | bytes | int) -> str:
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


NPZ = Format(
    "npz",
    ".npz: arrays ids (N,) and points (N, L, 2), counted from 0; or the folder of a run",
    lambda path: (
        path.suffix.lower() == _ENDING
        if not path.is_dir()
        else any((path / name).is_file() for name in (_OF_A_RUN, _RECORD))
    ),
    _read,
)
