"""The graph of a pipeline as data: which step takes what from whom, in which order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backfill.definitions.place import NOWHERE, Place
from backfill.errors import DefinitionError, did_you_mean

if TYPE_CHECKING:
    from backfill.definitions.hooks import HookDefinition
    from backfill.definitions.steps import StepDefinition


@dataclass(frozen=True, slots=True)
class OutputRef:
    """An output of a step in a pipeline."""

    step: str
    output: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written where an output could stand."""

    value: Any


@dataclass(frozen=True, slots=True)
class FanIn:
    """Several outputs and values gathered into one list.

    Outputs that were not yielded are left out; when none was, the step is skipped.
    """

    members: tuple[OutputRef | Constant, ...]


Source = OutputRef | Constant | FanIn


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow of the graph; `to_input` is None where only the order matters."""

    from_step: str
    from_output: str | None
    to_step: str
    to_input: str | None


@dataclass(frozen=True)
class StepNode:
    """One use of a step in a pipeline.

    Attributes:
        name: The step's name in this pipeline: its alias where it has one.
        inputs: Input name -> where its value comes from; an unconnected input is left out.
        after: What must have happened before: a whole step (output None), or that an output was
            yielded.
        place: Where the pipeline calls it.
        hooks: Called when it has succeeded or failed.
    """

    name: str
    definition: StepDefinition
    inputs: Mapping[str, Source] = field(default_factory=dict)
    after: tuple[tuple[str, str | None], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    place: Place = NOWHERE
    hooks: tuple[HookDefinition, ...] = ()

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The arrows that end here."""
        data = [
            Edge(ref.step, ref.output, self.name, name)
            for name, source in self.inputs.items()
            for ref in refs(source)
        ]
        return (*data, *(Edge(step, output, self.name, None) for step, output in self.after))

    @property
    def upstream(self) -> tuple[str, ...]:
        """The names of the steps it waits for, each once."""
        return tuple(dict.fromkeys(edge.from_step for edge in self.edges))


def refs(source: Source) -> Iterable[OutputRef]:
    """Yield the outputs a source takes from."""
    if isinstance(source, OutputRef):
        yield source
    elif isinstance(source, FanIn):
        for member in source.members:
            if isinstance(member, OutputRef):
                yield member


def in_order(nodes: Sequence[StepNode], pipeline: str) -> tuple[StepNode, ...]:
    """Return the steps so that each comes after what it waits for, else as they were given.

    Raises:
        DefinitionError: A step waits for one that is not there, or for itself in a circle.
    """
    index = {node.name: i for i, node in enumerate(nodes)}
    for node in nodes:
        for name in node.upstream:
            if name not in index:
                raise DefinitionError(
                    f'Pipeline "{pipeline}": step "{node.name}" ({node.place}) depends on '
                    f'"{name}", which is no step of it.{did_you_mean(name, index)}'
                )
    waiting = {node.name: len(node.upstream) for node in nodes}
    downstream: dict[str, list[str]] = {node.name: [] for node in nodes}
    for node in nodes:
        for name in node.upstream:
            downstream[name].append(node.name)
    ready = [index[name] for name, count in waiting.items() if count == 0]
    ordered = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        ordered.append(node)
        for name in downstream[node.name]:
            waiting[name] -= 1
            if waiting[name] == 0:
                heapq.heappush(ready, index[name])
    if len(ordered) < len(nodes):
        raise _cycle([node for node in nodes if waiting[node.name]], pipeline)
    return tuple(ordered)


def _cycle(stuck: Sequence[StepNode], pipeline: str) -> DefinitionError:
    """Build the error that names one circle among steps that wait for each other."""
    by_name = {node.name: node for node in stuck}
    trail = [stuck[0].name]
    while trail.count(trail[-1]) == 1:
        trail.append(next(name for name in by_name[trail[-1]].upstream if name in by_name))
    circle = trail[trail.index(trail[-1]) :]
    return DefinitionError(
        f'Pipeline "{pipeline}": its steps depend on each other in a circle: '
        f"{' <- '.join(circle)} ({by_name[circle[0]].place})."
    )
