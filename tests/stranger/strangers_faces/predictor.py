"""A model that puts the same ellipse into every box."""

import numpy as np

from alignbench import Predictor
from strangers_faces.markup import FACE106


class Wobble(Predictor):
    """Landmarks on an ellipse in the box, each off by at most some pixels."""

    name = "wobble"
    markup = FACE106
    boxes = "square"
    needs_images = False

    def __init__(self, argument=None):
        self.pixels = float(argument or 1)

    def predict(self, batch):
        """Landmarks (B, 106, 2) in image pixels."""
        angle = np.linspace(0, 2 * np.pi, FACE106.landmarks, endpoint=False)
        unit = 0.5 + 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        low, high = np.split(batch.boxes[:, None], 2, axis=2)
        return low + (high - low) * unit + self.pixels * np.sin(7 * angle)[:, None]

    def describe(self):
        """Everything that identifies the model; it is part of the run's key."""
        return {"source": "strangers_faces.wobble", "pixels": self.pixels}


def load(argument=None):
    """An ellipse in the box; wobble:PIXELS says how far landmarks are off."""
    return Wobble(argument)
