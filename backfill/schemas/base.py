"""What all documents share: ids as strings, times in UTC, pages, problems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _time(value: object) -> object:
    """Take microseconds since the epoch, as stored, beside what pydantic takes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _EPOCH + timedelta(microseconds=value)
    return value


def _storable(value: str) -> str:
    """Refuse what no database can store and no terminal should show."""
    if "\0" in value:
        raise ValueError("must not hold NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid unicode") from None
    return value


def _storable_json(value: Any) -> Any:
    """Refuse NUL characters and lone surrogates anywhere in a JSON value, and endless depth."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"must not be nested deeper than {MAX_DEPTH}")
        if isinstance(item, str):
            _storable(item)
        elif isinstance(item, dict):
            waiting += [(x, depth + 1) for pair in item.items() for x in pair]
        elif isinstance(item, list | tuple):
            waiting += [(x, depth + 1) for x in item]
    return value


MAX_DEPTH = 50

Id = Annotated[str, BeforeValidator(_id), Field(examples=["42"])]
Time = Annotated[datetime, BeforeValidator(_time)]
Text = Annotated[str, Field(max_length=10_000), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
Key = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_storable)]
Tags = Annotated[dict[Name, Text], Field(max_length=100)]
RunConfig = Annotated[dict[str, Any], AfterValidator(_storable_json)]


class Document(BaseModel):
    """Something the API answers."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Body(BaseModel):
    """Something the API takes: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Document, Generic[T]):
    """Some items of a list."""

    items: list[T]
    next: str | None = Field(
        default=None, description="Cursor of the following page; null at the end of the list."
    )


class Problem(BaseModel):
    """An error: which one, why, what now."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="A stable machine-readable name.", examples=["not_found"])
    detail: str = Field(description="One sentence or two for people.")
