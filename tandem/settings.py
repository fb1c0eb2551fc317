"""What all settings have in common: strict, frozen, and described field by field where they are declared.

A field's description is the docstring below it. From these come the JSON schema for editors (`tandem schema`), the
tables of docs/configuration.md, and the words of error messages, so that what a setting means is said once.

    class Period(Settings):
        \"\"\"The rows of one split.\"\"\"

        start: datetime.datetime | None = None
        \"\"\"Impressions before it are left out.\"\"\"
"""

from __future__ import annotations

from pydantic import BaseModel


class Settings(BaseModel, extra="forbid", frozen=True, use_attribute_docstrings=True):
    """Plain data that a user writes: unknown keys are errors, nothing changes after it is read."""
