"""JSON and typed models, read so that a stranger's bytes cannot do harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from rapid.errors import BadMessage

__all__ = ["Count", "Document", "Number", "SalDocument", "Seconds", "Text", "complaint", "read_object", "validated"]

_DocumentT = TypeVar("_DocumentT", bound="Document")

Text = Annotated[str, StringConstraints(max_length=1 << 16, pattern=r"^[^\x00]*$")]
"""Text of bounded length without NUL, which PostgreSQL does not take."""

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
"""A number that a database can hold."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number."""

Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
"""How long an exposure takes: no longer than a day."""


class Document(BaseModel):
    """A document of which the known fields are checked strictly, and unknown ones pass."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SalDocument(Document):
    """A document with the observatory's names in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


def read_object(value: bytes) -> dict[str, object]:
    """Read a JSON object: UTF-8, at most 200 levels deep, no NaN.

    Raises
    ------
    BadMessage
        If it is anything else.
    """
    try:
        found = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise BadMessage("not JSON", found=str(error)) from error
    if not isinstance(found, dict):
        raise BadMessage("not an announcement", expected="a JSON object", found=type(found).__name__)
    return found


def validated(model: type[_DocumentT], fields: Mapping[str, object], *, what: str) -> _DocumentT:
    """Check the fields of a document.

    Raises
    ------
    BadMessage
        If a field is missing or has an impossible value.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise BadMessage(f"not a usable {what}", found=complaint(error)) from error


def complaint(error: ValidationError) -> str:
    """Say what is wrong with the first field, and with how many more."""
    first, *more = error.errors(include_url=False, include_input=False, include_context=False)
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" + (f" and {len(more)} more" if more else "")
