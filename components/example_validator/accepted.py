"""The statistics of the training days that earlier runs accepted: what the next span is compared with.

A folder of files `<number>-<fingerprint>.pb`, the newest with the largest number. A file appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import posixpath
import re

from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.io import fileio

from tandem import files

KEPT = 10
"""So many are kept; older ones are removed."""

_NAME = re.compile(r"(\d{6})-([0-9a-f]{16})\.pb")


def fingerprint(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> str:
    """Tells the rows apart that statistics are of: equal rows have equal fingerprints, in whatever order they came.

    Made of counts, of the most frequent values, and of the smallest and largest numbers; of nothing that depends on
    the order of additions, such as a mean.
    """
    lines = []
    for dataset in statistics.datasets:
        lines.append(f"{dataset.num_examples}")
        for feature in dataset.features:
            common = getattr(feature, feature.WhichOneof("stats")).common_stats
            said = [".".join(feature.path.step) or feature.name, common.num_non_missing, common.tot_num_values]
            if feature.HasField("num_stats"):
                said += [feature.num_stats.min, feature.num_stats.max]
            if feature.HasField("string_stats"):
                said += sorted((value.value, value.frequency) for value in feature.string_stats.top_values)
            lines.append(repr(said))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


class AcceptedStatistics:
    """The folder."""

    def __init__(self, folder: str):
        """Opens the folder; it need not exist.

        Args:
          folder: A path or URI.
        """
        self._folder = folder

    def accepted(self, mark: str) -> bool:
        """Returns whether rows of this fingerprint were accepted before."""
        return any(match[2] == mark for match in self._kept())

    def before(self, mark: str) -> statistics_pb2.DatasetFeatureStatisticsList | None:
        """Returns what rows of a fingerprint are compared with: the newest statistics of other rows.

        Rows that were accepted before are compared with what they were compared with then.

        Returns:
          None if there are none.
        """
        kept = self._kept()
        marks = [match[2] for match in kept]
        earlier = kept[: marks.index(mark)] if mark in marks else kept
        if not earlier:
            return None
        content = files.read(posixpath.join(self._folder, earlier[-1][0]))
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)

    def accept(self, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> None:
        """Adds statistics, unless those of equal rows are there already."""
        mark, kept = fingerprint(statistics), self._kept()
        if any(match[2] == mark for match in kept):
            return
        name = f"{int(kept[-1][1]) + 1 if kept else 1:06d}-{mark}.pb"
        files.write(posixpath.join(self._folder, name), statistics.SerializeToString())
        for old in kept[: max(0, len(kept) + 1 - KEPT)]:
            fileio.remove(posixpath.join(self._folder, old[0]))

    def _kept(self) -> list[re.Match[str]]:
        """What is there, the oldest first."""
        if not fileio.isdir(self._folder):
            return []
        names = (posixpath.basename(str(name).rstrip("/")) for name in fileio.listdir(self._folder))
        return sorted((match for match in map(_NAME.fullmatch, names) if match), key=lambda match: match[0])
