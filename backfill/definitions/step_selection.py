"""Choosing steps of a pipeline: `name`, `*name`, `name*`, `+name`, `name+`, `*name*`.

A star takes everything upstream (before the name) or downstream (after it), a plus one level of
it, two pluses two levels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backfill.errors import Invalid, did_you_mean

_QUERY = re.compile(r"(?P<before>\*|\+*)(?P<name>[A-Za-z0-9_]+)(?P<after>\*|\+*)")

Upstream = Mapping[str, Sequence[str]]


def select_steps(pipeline: str, upstream: Upstream, queries: Sequence[str]) -> list[str]:
    """Return the steps that any of the queries takes, in the pipeline's order.

    Args:
        pipeline: Its name, for errors.
        upstream: Every step in order -> the steps it waits for.

    Raises:
        Invalid: A query cannot be read, or names no step.
    """
    chosen: set[str] = set()
    for query in queries:
        chosen |= _select(pipeline, upstream, query)
    return [name for name in upstream if name in chosen]


def downstream_of(upstream: Upstream, names: set[str]) -> set[str]:
    """Return these steps and everything that comes after one of them."""
    found = set(names)
    for name, before in upstream.items():  # in order: what a step waits for comes before it
        if not found.isdisjoint(before):
            found.add(name)
    return found


def _select(pipeline: str, upstream: Upstream, query: str) -> set[str]:
    read = _QUERY.fullmatch(query.strip())
    if read is None:
        raise Invalid(
            f"{query!r} chooses no steps: write a step's name, with * or + before it for what is "
            "upstream and after it for what is downstream."
        )
    name = read["name"]
    if name not in upstream:
        raise Invalid(
            f'Pipeline "{pipeline}" has no step "{name}".{did_you_mean(name, upstream)} '
            f"It has: {', '.join(upstream)}."
        )
    return _reached(upstream, name, read["before"]) | _reached(
        _turned(upstream), name, read["after"]
    )


def _reached(edges: Upstream, name: str, sign: str) -> set[str]:
    """Follow edges from a step as far as a sign says."""
    levels = len(edges) if sign == "*" else len(sign)
    found = edge = {name}
    for _ in range(levels):
        edge = {near for one in edge for near in edges.get(one, ())} - found
        if not edge:
            break
        found = found | edge
    return found


def _turned(upstream: Upstream) -> dict[str, list[str]]:
    downstream: dict[str, list[str]] = {name: [] for name in upstream}
    for name, before in upstream.items():
        for one in before:
            downstream[one].append(name)
    return downstream
