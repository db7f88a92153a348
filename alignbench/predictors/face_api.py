"""face-api's 68 points (github.com/vladmandic/face-api, MIT), of its npm package.

Its network stands in :mod:`alignbench.predictors.face_api_network`, so that the model can be listed
and fetched without PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alignbench.predictors.facts import ModelFacts
from alignbench.predictors.fetch import Package, fetched_files

if TYPE_CHECKING:
    from alignbench.predictors.face_api_network import FaceApi

WEIGHTS = "model/face_landmark_68_model.bin"
MANIFEST = "model/face_landmark_68_model-weights_manifest.json"
PACKAGE = Package(
    registry="npm",
    requirement="@vladmandic/face-api@1.7.15",
    files={
        WEIGHTS: "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b",
        MANIFEST: "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9",
    },
    licence="MIT",
    homepage="https://github.com/vladmandic/face-api",
)


def load(
    backend: str = "eager",
    precision: str = "fp32",
    device: str = "auto",
    flip_test: bool = False,
    random: bool = False,
) -> FaceApi:
    """face-api's 68 points; `alignbench models fetch face-api` fetches its weights."""
    from alignbench.backends.build import Execution
    from alignbench.predictors.face_api_network import FaceApi

    paths = {} if random else fetched_files("face-api", PACKAGE)
    files = None if random else (paths[MANIFEST], paths[WEIGHTS])
    execution = Execution(backend, precision, device)
    return FaceApi(PACKAGE.requirement, files, execution, flip_test)


load.package = PACKAGE  # type: ignore[attr-defined]
load.facts = ModelFacts(  # type: ignore[attr-defined]
    points="68",
    weights="to be fetched",
    licence=PACKAGE.licence,
    trained_on="about 35,000 face images that are not named",
)
