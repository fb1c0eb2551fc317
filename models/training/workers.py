"""Starts the processes that train together, and waits for them.

TensorFlow connects workers only in a process that has not used it yet. The Trainer's process has, so even a single
worker of this machine is a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

import tandem

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("tandem.train")

ARGUMENTS_FILE = "worker.json"
_ARGUMENTS = ("transform_graph_path", "train_files", "eval_files", "model_run_dir", "serving_model_dir")
_ROOT = Path(tandem.__file__).resolve().parents[1]


def run(fn_args: Any, config: Mapping[str, Any], workers: int) -> None:
    """Trains in processes of their own: the one that TF_CONFIG names, or without it `workers` of them on this machine.

    The arguments are written to `worker.json` in the folder of the training's log, which all machines must see. On
    another machine of the cluster, with a TF_CONFIG of its own, `python -m tandem.models.training.worker FILE` is a
    worker.

    Args:
      fn_args: TFX's FnArgs.
      config: The `TrainerConfig`, as JSON.
      workers: How many, where this machine is the cluster.

    Raises:
      RuntimeError: A worker failed; the others are stopped. It names the worker and what it said last.
    """
    arguments = {name: getattr(fn_args, name) for name in _ARGUMENTS} | {"custom_config": dict(config)}
    file = f"{fn_args.model_run_dir}/{ARGUMENTS_FILE}"
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    with tf.io.gfile.GFile(file, "w") as out:
        out.write(json.dumps(arguments, indent=2))
    configs = [os.environ["TF_CONFIG"]] if os.environ.get("TF_CONFIG") else _local_cluster(workers)
    with contextlib.ExitStack() as stack:
        processes = [_Worker(file, config) for config in configs]
        for process in processes:
            stack.callback(process.stop)
        while any(process.running for process in processes):
            for process in processes:
                process.raise_if_failed()
            time.sleep(0.1)
        for process in processes:
            process.raise_if_failed()


def _local_cluster(workers: int) -> list[str]:
    """Returns the TF_CONFIG of every worker, at free ports of this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    cluster = {"worker": addresses}
    return [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}) for i in range(workers)]


class _Worker:
    """A process that trains; what it says goes to the log, the chief's for people and the others' for search."""

    def __init__(self, file: str, tf_config: str):
        self._index = json.loads(tf_config)["task"]["index"]
        environment = {**os.environ, "TF_CONFIG": tf_config, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": os.fspath(_ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tandem.models.training.worker", file],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def raise_if_failed(self) -> None:
        if self._process.poll():
            self._listener.join(timeout=5)
            said = "\n".join(self._said[-15:])
            raise RuntimeError(f"worker {self._index} ended with exit code {self._process.returncode}:\n{said}")

    def stop(self) -> None:
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        if self.running:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=5)

    def _listen(self) -> None:
        assert self._process.stdout is not None  # it is a pipe
        with self._process.stdout as lines:
            for line in lines:
                self._hear(line)

    def _hear(self, line: str) -> None:
        self._said = [*self._said[-100:], line.rstrip()]
        marked = line.startswith(MARK)
        text = line.removeprefix(MARK).rstrip()
        if marked and self._index == 0:
            logger.info("%s", text)
        else:
            logger.debug("worker %d: %s", self._index, text)


# Starts a line that is for people; the libraries' own lines lack it.
MARK = "tandem.train: "
