"""The OpenAPI document: what the routes say of themselves, with every model in one place."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

NAMED = "#/components/schemas/{model}"


def named(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of *model* by its name; the application has to be told of it."""
    return {"$ref": NAMED.format(model=model.__name__)}


class Application(FastAPI):
    """One whose document has *models* besides those that the framework finds by itself.

    By itself it finds none that is read from a body which no route declares, and none of another media type.
    """

    def __init__(self, *, models: tuple[type[BaseModel], ...], **others: Any) -> None:
        super().__init__(**others)
        self._models = models

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            _, schemas = models_json_schema([(model, "validation") for model in self._models], ref_template=NAMED)
            super().openapi()["components"]["schemas"] |= schemas["$defs"]
        return super().openapi()
