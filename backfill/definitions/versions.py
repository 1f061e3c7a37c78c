"""The version of a pipeline: what its steps' source and its wiring hash to."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backfill.definitions.graph import Constant, FanIn, Source, StepNode
from backfill.definitions.resources import ResourceDefinition
from backfill.definitions.text import stable_text


def pipeline_version(nodes: Iterable[StepNode], resources: Mapping[str, ResourceDefinition]) -> str:
    """Return 16 hex digits that change with the source of the steps and how they are wired.

    A step's source is that of its own function, decorator included: what it calls elsewhere is
    not seen. A step with a `version` of its own counts by that alone.
    """
    digest = hashlib.sha256()
    for node in nodes:
        _add(digest, node.name, _step_version(node))
        for name, source in node.inputs.items():
            _add(digest, name, _wired(source))
        _add(digest, *(f"{step}.{output}" for step, output in node.after))
    for name in sorted(resources):
        resource = resources[name]
        _add(digest, name, resource.version or source_of(resource.fn))
    return digest.hexdigest()[:16]


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of a function; of one typed in, what identifies its code."""
    try:
        linecache.checkcache(inspect.getfile(function))
        source = textwrap.dedent(inspect.getsource(function))
        return "\n".join(line.rstrip() for line in source.splitlines())
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        if code is None:
            return f"{type(function).__module__}.{type(function).__qualname__}"
        return _identity(code)


def _identity(code: Any) -> str:
    """Return a text that says what a code object does, the code inside it included."""
    constants = " ".join(
        _identity(constant) if hasattr(constant, "co_code") else repr(constant)
        for constant in code.co_consts
    )
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _step_version(node: StepNode) -> str:
    definition = node.definition
    return f"given {definition.version}" if definition.version else source_of(definition.fn)


def _wired(source: Source) -> str:
    if isinstance(source, Constant):
        return f"= {stable_text(source.value)}"
    if isinstance(source, FanIn):
        return "[" + ", ".join(_wired(member) for member in source.members) + "]"
    return f"{source.step}.{source.output}"


def _add(digest: Any, *texts: str) -> None:
    for text in texts:
        encoded = text.encode("utf-8", "backslashreplace")
        digest.update(b"%d:" % len(encoded) + encoded)
    digest.update(b"\n")
