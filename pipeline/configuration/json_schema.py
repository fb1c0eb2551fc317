"""The JSON schema of a configuration file, by which an editor completes, explains and checks it.

It is made of the settings classes: their types, bounds, defaults and descriptions. What it accepts, `load` may still
refuse, since it does not compare settings with each other, but for one thing: what the parts of a model may be set to
depends on the recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from tandem.components.metrics.catalog import METRICS
from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings
from tandem.pipeline.configuration.config import Config

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

    from tandem.models.recipes import Part, Recipe
    from tandem.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out titles that only repeat names."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        """No key has a title: it would be the key in other letters."""
        return False


def json_schema() -> dict[str, Any]:
    """Returns the schema, draft 2020-12."""
    parts: dict[type[Settings], None] = {part.settings: None for recipe in RECIPES.values() for part in recipe.parts}
    classes: list[type[Settings]] = [Config, *parts]
    _, found = models_json_schema([(cls, "validation") for cls in classes], schema_generator=_WithoutTitles)
    definitions = found["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
    definitions["Threshold"]["properties"]["metric"]["enum"] = list(METRICS)
    _settings_by_recipe(definitions[ModelSettings.__name__])
    root = definitions.pop(Config.__name__)
    schema = {"$schema": DIALECT, "title": "Tandem configuration", **root, "$defs": definitions}
    _tidy(schema)
    return schema


def _settings_by_recipe(model: dict[str, Any]) -> None:
    """Says what the parts of a model may be set to, recipe by recipe."""
    recipe_key = model["properties"]["recipe"]
    recipe_key["enum"] = list(RECIPES)
    model["allOf"] = [
        {
            # A file that names no recipe has the default one.
            "if": {
                "properties": {"recipe": {"const": name}},
                **({} if name == recipe_key["default"] else {"required": ["recipe"]}),
            },
            "then": {"properties": _sections(recipe)},
        }
        for name, recipe in RECIPES.items()
    ]


def _sections(recipe: Recipe) -> dict[str, Any]:
    single = {section: _reference(part) for section, part in recipe.single_parts.items()}
    named = {
        section: {
            "type": "object",
            "properties": {name: _reference(part) for name, part in parts.items()},
            "additionalProperties": False,
        }
        for section, parts in recipe.named_parts.items()
    }
    return single | named


def _reference(part: Part[Settings]) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{part.settings.__name__}", "description": f"Settings of {part.name}."}


def _tidy(schema: Any) -> None:
    """Puts descriptions on one line, and says how long a list must be where a text may stand for a list of one."""
    if isinstance(schema, list):
        for element in schema:
            _tidy(element)
    elif isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            schema["description"] = " ".join(schema["description"].split())
        if "anyOf" in schema and "minLength" in schema:
            schema["minItems"] = schema["minLength"]
        for value in schema.values():
            _tidy(value)
