"""What the papers report on Ali-CCP, to be held against a benchmark on the same data.

Numbers only. The papers prepare the data each in its own way (features, filters, validation part), so that systems
should be compared within a paper, and a paper with a benchmark by its differences. AUC, in [0, 1]. Columns by the kind
of output: `root` (CTR: a task without parent), `conditional` (CVR: given its parent), `joint` (CTCVR: the chain).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.tasks import Output, TaskGraph

Kind = Literal["root", "conditional", "joint"]
KINDS: tuple[Kind, ...] = ("root", "conditional", "joint")


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper.

    Attributes:
      paper: Short name, authors, venue.
      table: Which one, and what must be known to read it.
      columns: The kinds of output, in the order of the figures.
      auc: By system, in our names; None for what the table does not have.
    """

    paper: str
    table: str
    columns: tuple[Kind, ...]
    auc: Mapping[str, tuple[float, ...]]


ALI_CCP = (
    PublishedTable(
        "PICO (Lin et al., AAAI 2023)",
        "Table 2; three runs; over which rows conversions are judged is not said; PICO stands on Shared-Bottom",
        ("root", "conditional"),
        {
            "single_dnn": (0.61975, 0.59525),
            "shared_bottom": (0.61977, 0.61643),
            "cross_stitch": (0.61936, 0.61782),
            "mmoe": (0.61843, 0.60111),
            "ple": (0.61889, 0.60499),
            "autoheri": (0.61968, 0.60387),
            "shared_bottom_pico": (0.61886, 0.61928),
        },
    ),
    PublishedTable(
        "TAML (WWW 2023)",
        "Table 2; five runs",
        ("root", "conditional", "joint"),
        {
            "single_dnn": (0.6034, 0.6519, 0.6207),
            "mmoe": (0.6026, 0.6703, 0.6400),
            "ple": (0.6037, 0.6712, 0.6477),
            "esmm": (0.6030, 0.6706, 0.6485),
            "aitm": (0.6035, 0.6693, 0.6518),
            "taml": (0.6049, 0.6813, 0.6544),
        },
    ),
    PublishedTable(
        "MAN (2023)",
        "Table 1; five runs; standard deviations are 0.0003 to 0.0020 (root) and 0.0013 to 0.0061 (conditional)",
        ("root", "conditional"),
        {
            "lightgbm": (0.5837, 0.5870),
            "omoe": (0.6049, 0.6405),
            "mmoe": (0.6047, 0.6420),
            "esmm": (0.6022, 0.6291),
            "ple": (0.6039, 0.6417),
            "aitm": (0.6043, 0.6525),
            "man": (0.6225, 0.6599),
        },
    ),
    PublishedTable(
        "MAN (2023)",
        "Table 2, ablations; the titles of its columns are swapped there (compare its Table 1); the last row is called "
        "without meta-att there, and is said to have no embeddings",
        ("root", "conditional"),
        {
            "man": (0.6225, 0.6599),
            "man/no_meta": (0.6118, 0.6443),
            "man/no_attention": (0.6211, 0.6539),
            "man/no_meta_no_attention": (0.6042, 0.6401),
        },
    ),
)


def published(name: str) -> tuple[PublishedTable, ...]:
    """Returns the papers' tables on the data of a configuration; none for other data than Ali-CCP.

    >>> len(published("ali_ccp_small")), len(published("shop"))
    (4, 0)

    Args:
      name: The configuration's.
    """
    return ALI_CCP if "aliccp" in re.sub(r"[^a-z]", "", name.lower()) else ()


def kind_of(output: Output, graph: TaskGraph) -> Kind:
    """Returns which kind of output one is."""
    if output.given is not None:
        return "conditional"
    return "root" if graph[output.task].given is None else "joint"
