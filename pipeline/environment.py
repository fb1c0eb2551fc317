"""Settings of the process that must stand before TensorFlow, TFX or Beam is imported."""

from __future__ import annotations

import io
import os
import sys
import warnings


def prepare() -> None:
    """Chooses tf_keras as the Keras of the process, silences C++ chatter, and lets Python keep its byte code.

    Without the byte code the imports of a run take half a minute instead of ten seconds. A terminal that cannot show a
    character (of a column, say) is given its code instead of a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 2 lets complaints about absent GPU libraries through
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"google\..*"
    )  # "Python 3.10 will not be supported"
