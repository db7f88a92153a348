"""A format of landmark files: .lm files with a line "ID: x y x y ..." for each face."""

import numpy as np

from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces


def read(path):
    """The faces of a file."""
    ids, points = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, _, numbers = line.rpartition(":")
        try:
            points.append(np.array(numbers.split(), np.float64).reshape(-1, 2))
        except ValueError as error:
            raise InputError(f"{path}, line {number}", f"{error}", "ID: x y x y ...") from error
        ids.append(name)
    return StoredFaces(ids, np.stack(points))


LM = Format(
    name="lm",
    about='.lm: a line "ID: x y x y ..." for each face, 0-based',
    accepts=lambda path: path.suffix == ".lm",
    read=read,
)
