"""A process that holds one system and trains a chunk of steps whenever it is told to."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path


def cpu_seconds() -> float:
    """Returns the processor time of this process so far, all its threads and the system's part included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Reads commands, one per line: `train CHUNK STEPS` or `judge`; answers each with a line of JSON."""
    name, folder, seed, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import tensorflow as tf
    from sklearn.metrics import roc_auc_score

    from benchmarks.training_speed import systems, workload

    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    data = workload.load(folder)
    system = systems.create(name, data, seed)
    before = cpu_seconds()
    print(json.dumps({"ready": name}), file=answers, flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "train":
            chunk, steps = map(int, arguments)
            started = time.perf_counter()
            system.train(steps, chunk)
            # What a reader has done in advance since the last chunk counts.
            after = cpu_seconds()
            said = {"cpu": after - before, "wall": time.perf_counter() - started, "rows": steps * systems.BATCH}
            before = after
        else:
            ids, labels = data.test
            scores = system.predict(ids)
            said = {"auc": [float(roc_auc_score(labels[:, task], scores[:, task])) for task in range(2)]}
        said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(said), file=answers, flush=True)
    os._exit(0)  # our trainer waits in a thread


if __name__ == "__main__":
    main()
