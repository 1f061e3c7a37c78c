"""Repositories: functions that name the definitions of a module one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, overload

from backfill.definitions.text import shown
from backfill.definitions.user_code import call_user
from backfill.errors import DefinitionError


class RepositoryDefinition:
    """A named collection of pipelines, partition sets and schedules."""

    def __init__(
        self,
        name: str,
        function: Callable[[], Any],
        *,
        description: str | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self._function = function

    def __repr__(self) -> str:
        return f"RepositoryDefinition({self.name!r})"

    def contents(self) -> list[Any]:
        """Call the function and return the definitions it names, in order.

        Raises:
            UserCodeError: The function raised.
            DefinitionError: It returned neither a list nor a dict of definitions.
        """
        what = f'Repository "{self.name}"'
        returned = call_user(what, self._function, repository=self.name)
        if not isinstance(returned, (list, tuple, Mapping)):
            raise DefinitionError(
                f"{what} returned {shown(returned)} ({type(returned).__name__}); "
                "expected a list or a dict of definitions."
            )
        return list(_flattened(returned))


@overload
def repository(function: Callable[[], Any], /) -> RepositoryDefinition: ...


@overload
def repository(
    function: str | None = None, /, *, name: str | None = None, description: str | None = None
) -> Callable[[Callable[[], Any]], RepositoryDefinition]: ...


def repository(
    function: Callable[[], Any] | str | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> RepositoryDefinition | Callable[[Callable[[], Any]], RepositoryDefinition]:
    """Make a repository of a function that returns a list of definitions, or a dict of them.

    A dict may sort them by kind: `{"pipelines": {...}, "partition_sets": {...}}`; its values may
    be definitions, or functions without arguments that return one.
    """
    if callable(function):
        return RepositoryDefinition(function.__name__, function, description=description)
    given = function if isinstance(function, str) else name

    def decorate(decorated: Callable[[], Any]) -> RepositoryDefinition:
        told = description or decorated.__doc__
        return RepositoryDefinition(given or decorated.__name__, decorated, description=told)

    return decorate


def _flattened(items: Any) -> Iterator[Any]:
    for item in items.values() if isinstance(items, Mapping) else items:
        if isinstance(item, (list, tuple, Mapping)):
            yield from _flattened(item)
        elif isinstance(items, Mapping) and _is_plain_function(item):
            yield item()
        else:
            yield item


def _is_plain_function(item: Any) -> bool:
    return callable(item) and not hasattr(item, "name")
