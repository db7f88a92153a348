"""A data set: test.csv (id,x0,y0,...) with 106 points, and images ID.jpg beside it."""

import numpy as np

from alignbench import Dataset
from alignbench.datasets.base import FULL, DatasetSource
from alignbench.io.images import ImageFiles
from alignbench.io.text import id_table
from strangers_faces.markup import FACE106

SPLITS = {"test": {FULL: 8}}


def read(root, split):
    """One split from the folder ``root``."""
    ids, values = id_table(root / f"{split}.csv")
    return Dataset(
        name="ellipses",
        split=split,
        markup=FACE106,
        ids=tuple(ids),
        points=values.reshape(-1, FACE106.landmarks, 2),
        visible=None,
        boxes=None,
        subsets={
            FULL: np.ones(len(ids), np.bool_),
            "glasses": np.array(["glasses" in face for face in ids]),
        },
        images=ImageFiles(root, [f"{face}.jpg" for face in ids]),
        official=SPLITS[split],
        normalisers=("inter_pupil",),
        threshold=0.08,
    )


ELLIPSES = DatasetSource(
    name="ellipses",
    title="Ellipses: 106 points, eight faces",
    markup=FACE106,
    splits=SPLITS,
    markers=("test.csv",),
    layout="ellipses/test.csv, ellipses/ID.jpg",
    homepage="https://example.org/ellipses",
    read=read,
)
