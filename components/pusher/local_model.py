"""Model artifacts as folders that plain file functions can read."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

from tfx.utils import io_utils, path_utils

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfx.types import artifact as tfx_artifact


@contextlib.contextmanager
def local_model(model: tfx_artifact.Artifact) -> Iterator[str]:
    """Gives the folder of a model artifact's SavedModel, or a temporary copy if an object store holds it."""
    path = path_utils.serving_model_path(model.uri)
    if "://" not in path:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tandem-model-") as folder:
        copy = f"{folder}/model"
        io_utils.copy_dir(path, copy)
        yield copy
