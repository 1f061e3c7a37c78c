"""The registry: every definition of some modules and files, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from backfill.definitions.catalog import unknown_definition
from backfill.definitions.partition_set import PartitionSetDefinition
from backfill.definitions.pipeline import PipelineDefinition
from backfill.definitions.repository import RepositoryDefinition
from backfill.definitions.schedules import ScheduleDefinition
from backfill.definitions.sources import (
    Source,
    content_version,
    files_of,
    forget,
    parse_sources,
    restore,
    stamps,
    user_modules,
)
from backfill.definitions.text import shown
from backfill.errors import DefinitionError, DefinitionsUnavailable, did_you_mean

_Definition = TypeVar("_Definition")


@dataclass(frozen=True)
class Loaded:
    """What one load found.

    Attributes:
        places: (kind, name) -> where it is defined, such as `shop.pipelines.daily_sales` or
            `shop/pipelines.py: daily_sales`.
        version: A hash of the source of everything that belongs to the definitions.
        files: The files of that source.
        modules: What the sources themselves were imported as.
    """

    pipelines: dict[str, PipelineDefinition] = field(default_factory=dict)
    partition_sets: dict[str, PartitionSetDefinition] = field(default_factory=dict)
    schedules: dict[str, ScheduleDefinition] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    version: str = ""
    files: tuple[str, ...] = ()
    modules: tuple[ModuleType, ...] = ()


class Registry:
    """The definitions of some sources; `reload` takes their code as it is now."""

    def __init__(self, sources: Sequence[Source], loaded: Loaded) -> None:
        self.sources = tuple(sources)
        self._loaded = loaded
        self._stamps = stamps(loaded.files)

    @classmethod
    def load(cls, sources: str | Path | Iterable[str | Path]) -> Registry:
        """Load modules and files: `shop.pipelines,shop/reports.py`, or an iterable of them.

        Raises:
            DefinitionsUnavailable: One cannot be imported; `facts["traceback"]` is the user's
                own.
            DefinitionError: What they define is wrong or contradicts itself.
        """
        parsed = parse_sources(sources)
        if not parsed:
            raise DefinitionsUnavailable(
                "No definitions are given: name a module with -m or a file with -f, or set "
                "BACKFILL_DEFINITIONS."
            )
        return cls(parsed, _load(parsed))

    @property
    def pipelines(self) -> Mapping[str, PipelineDefinition]:
        """Every pipeline by name."""
        return self._loaded.pipelines

    @property
    def partition_sets(self) -> Mapping[str, PartitionSetDefinition]:
        """Every partition set by name."""
        return self._loaded.partition_sets

    @property
    def schedules(self) -> Mapping[str, ScheduleDefinition]:
        """Every schedule by name."""
        return self._loaded.schedules

    @property
    def version(self) -> str:
        """The code version: a hash of the definitions' source, equal on hosts of equal code."""
        return self._loaded.version

    def pipeline(self, name: str) -> PipelineDefinition:
        """Return a pipeline, else raise NotFound."""
        return self._get("pipeline", self.pipelines, name)

    def partition_set(self, name: str) -> PartitionSetDefinition:
        """Return a partition set, else raise NotFound."""
        return self._get("partition set", self.partition_sets, name)

    def schedule(self, name: str) -> ScheduleDefinition:
        """Return a schedule, else raise NotFound."""
        return self._get("schedule", self.schedules, name)

    def source_files(self) -> Sequence[str]:
        """Return the files whose change calls for a reload."""
        return self._loaded.files

    def changed(self) -> bool:
        """Tell whether a source file was changed since it was loaded, or since a failed reload."""
        return stamps(self._stamps) != self._stamps

    def reload(self) -> None:
        """Import everything again and take what it defines; on failure the old stays in force.

        Raises:
            DefinitionsUnavailable, DefinitionError: As of `load`.
        """
        now = stamps(self._stamps)
        edited = [file for file in now if now[file] != self._stamps[file]]
        old = user_modules(self._loaded.modules)
        forget(old, edited)
        try:
            self._loaded = _load(self.sources)
        except Exception as error:
            restore(old, user_modules(old.values()))
            self._stamps = {**now, **stamps(files_of(error, self.sources))}
            raise
        # an edit during the import counts as a change: what is known keeps its earlier stamp
        self._stamps = {file: now.get(file, at) for file, at in stamps(self._loaded.files).items()}

    def _get(self, kind: str, known: Mapping[str, _Definition], name: str) -> _Definition:
        if name in known:
            return known[name]
        raise unknown_definition(kind, name, known, [source.text for source in self.sources])


def _load(sources: Sequence[Source]) -> Loaded:
    modules: list[ModuleType] = []
    found = Loaded()
    for source in sources:
        modules.append(source.load())
        _collect(found, modules[-1], source)
    for partition_set in found.partition_sets.values():
        _check_pipeline("partition set", partition_set, found, sources)
        _check_steps("partition set", partition_set, found)
    for schedule in found.schedules.values():
        _check_pipeline("schedule", schedule, found, sources)
        _check_steps("schedule", schedule, found)
    belonging = user_modules(modules)
    files = sorted({str(module.__file__) for module in belonging.values()})
    return Loaded(
        found.pipelines,
        found.partition_sets,
        found.schedules,
        found.places,
        content_version(belonging),
        tuple(files),
        tuple(modules),
    )


def _collect(found: Loaded, module: ModuleType, source: Source) -> None:
    nothing = True
    for place, definition in _definitions_in(module, source):
        nothing = False
        _add(found, definition, place)
    if nothing:
        raise DefinitionError(
            f"{source.text} defines no pipeline, partition set or schedule.", source=source.text
        )


def _definitions_in(module: ModuleType, source: Source) -> Iterator[tuple[str, Any]]:
    """Yield (place, definition): of the module's repositories if it has any, else its own."""
    where = f"{module.__name__}." if source.file is None else f"{source.text}: "
    named = [(where + name, value) for name, value in vars(module).items()]
    repositories = [(p, v) for p, v in named if isinstance(v, RepositoryDefinition)]
    for place, repository in repositories:
        for definition in repository.contents():
            if not _is_definition(definition):
                raise DefinitionError(
                    f'Repository "{repository.name}" ({place}) holds {shown(definition)}; '
                    "expected pipelines, partition sets and schedules."
                )
            yield place, definition
    if not repositories:
        yield from ((p, v) for p, v in named if _is_definition(v))


def _is_definition(value: object) -> bool:
    return not isinstance(value, type) and isinstance(
        value, (PipelineDefinition, PartitionSetDefinition, ScheduleDefinition)
    )


def _add(found: Loaded, definition: Any, place: str) -> None:
    if isinstance(definition, PipelineDefinition):
        _put(found, "pipeline", found.pipelines, definition, place)
        return
    if isinstance(definition, PartitionSetDefinition):
        _put(found, "partition set", found.partition_sets, definition, place)
        if definition.pipeline is not None:
            _put(found, "pipeline", found.pipelines, definition.pipeline, place)
        return
    _put(found, "schedule", found.schedules, definition, place)
    if definition.pipeline is not None:
        _put(found, "pipeline", found.pipelines, definition.pipeline, place)
    if definition.partition_set is not None:
        _add(found, definition.partition_set, place)


def _put(found: Loaded, kind: str, known: dict[str, Any], definition: Any, place: str) -> None:
    name = definition.name
    first = known.setdefault(name, definition)
    if first is not definition:
        raise DefinitionError(
            f'Two different {kind}s are named "{name}": {found.places[kind, name]} and {place}. '
            "Rename one."
        )
    found.places.setdefault((kind, name), place)


def _check_pipeline(kind: str, definition: Any, found: Loaded, sources: Sequence[Source]) -> None:
    wanted = definition.pipeline_name
    if wanted in found.pipelines:
        return
    place = found.places[kind, definition.name]
    raise DefinitionError(
        f'The {kind} "{definition.name}" ({place}) is of the pipeline "{wanted}", which is not '
        f"defined.{did_you_mean(wanted, found.pipelines)} {_loaded_from(sources)}"
    )


def _check_steps(
    kind: str, definition: PartitionSetDefinition | ScheduleDefinition, found: Loaded
) -> None:
    pipeline = found.pipelines[definition.pipeline_name]
    for step in definition.step_selection or ():
        if step not in pipeline.step_names:
            place = found.places[kind, definition.name]
            raise DefinitionError(
                f'The {kind} "{definition.name}" ({place}) selects steps, but pipeline '
                f'"{pipeline.name}" has no step "{step}".{did_you_mean(step, pipeline.step_names)}'
            )


def _loaded_from(sources: Sequence[Source]) -> str:
    return "Loaded from: " + ", ".join(source.text for source in sources)
