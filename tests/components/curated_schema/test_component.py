"""The component: its key is the text, and nothing but the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from tandem.components.curated_schema.component import CuratedSchema
from tandem.components.curated_schema.executor import Executor

TEXT = 'feature { name: "city" type: BYTES }  # a comment\n'


def test_the_text_is_the_only_property() -> None:
    assert dict(CuratedSchema(TEXT).exec_properties) == {"schema_text": TEXT}
    with_own = dict(CuratedSchema(TEXT, ["click"]).exec_properties)
    assert list(with_own) == ["schema_text"]
    assert with_own["schema_text"].startswith(TEXT)


def test_the_text_is_written_as_it_is_and_tfx_reads_it(tmp_path: Path) -> None:
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path / "schema" / "1")
    component = CuratedSchema(TEXT, ["click"])
    Executor().Do({}, {"schema": [artifact]}, dict(component.exec_properties))
    path = io_utils.get_only_uri_in_dir(artifact.uri)
    assert Path(path).name == "schema.pbtxt"
    assert Path(path).read_text() == component.exec_properties["schema_text"]
    assert [feature.name for feature in io_utils.SchemaReader().read(path).feature] == ["city", "click"]


def test_a_text_that_is_no_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="the schema cannot be read"):
        CuratedSchema("feature: city")
