"""Calls of steps inside a pipeline function: each call notes a step and hands out its outputs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from backfill.definitions.graph import Constant, FanIn, OutputRef, Source, StepNode
from backfill.definitions.place import Place, calling_place
from backfill.definitions.ports import Nothing
from backfill.definitions.text import shown
from backfill.errors import DefinitionError, did_you_mean

if TYPE_CHECKING:
    from backfill.definitions.hooks import HookDefinition
    from backfill.definitions.steps import StepDefinition

_active = threading.local()


def active() -> Composition | None:
    """Return the composition of the pipeline function that is being called, if one is."""
    composition: Composition | None = getattr(_active, "composition", None)
    return composition


class OutputHandle:
    """What an output will be, while a pipeline is put together: only other steps take it."""

    __slots__ = ("_composition", "_ref", "_whole")

    def __init__(self, composition: Composition, ref: OutputRef, *, whole: bool) -> None:
        self._composition = composition
        self._ref = ref
        self._whole = whole

    def __repr__(self) -> str:
        return f'<output "{self._ref.output}" of step "{self._ref.step}">'

    def __iter__(self) -> NoReturn:
        raise self._misuse("loop over")

    def __bool__(self) -> NoReturn:
        raise self._misuse("test")

    def __getitem__(self, key: object) -> NoReturn:
        raise self._misuse("look into")

    def _misuse(self, verb: str) -> DefinitionError:
        return DefinitionError(
            f"{self._composition.where(calling_place())}: cannot {verb} the {self!r:.200}: it has "
            "no value before the pipeline runs. Do it inside a step."
        )


class StepOutputs:
    """The outputs of a step with several: by attribute, by name, or unpacked in their order."""

    __slots__ = ("_composition", "_handles", "_step")

    def __init__(
        self, composition: Composition, step: str, handles: Mapping[str, OutputHandle]
    ) -> None:
        self._composition = composition
        self._step = step
        self._handles = handles

    def __getattr__(self, name: str) -> OutputHandle:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> OutputHandle:
        handle = self._handles.get(name)
        if handle is None:
            raise DefinitionError(
                f"{self._composition.where(calling_place())}: step "
                f'"{self._step}" has no output "{name}".{did_you_mean(name, self._handles)}'
            )
        return handle

    def __iter__(self) -> Iterator[OutputHandle]:
        return iter(self._handles.values())

    def __len__(self) -> int:
        return len(self._handles)


class Composition:
    """The steps a pipeline function has called so far."""

    def __init__(self, pipeline: str, place: Place) -> None:
        self.pipeline = pipeline
        self.place = place
        self.nodes: dict[str, StepNode] = {}

    def __enter__(self) -> Composition:
        outer = active()
        if outer is not None:
            raise DefinitionError(
                f"{outer.where(calling_place())}: a pipeline cannot be defined inside another one."
            )
        _active.composition = self
        return self

    def __exit__(self, *_: object) -> None:
        _active.composition = None

    def where(self, place: Place) -> str:
        """Name the pipeline and a line of it, to begin an error with."""
        return f'Pipeline "{self.pipeline}" ({place})'

    def add(
        self,
        definition: StepDefinition,
        name: str,
        tags: Mapping[str, str],
        args: Sequence[Any],
        named: Mapping[str, Any],
        hooks: tuple[HookDefinition, ...] = (),
    ) -> OutputHandle | StepOutputs:
        """Note a call of a step and return its outputs."""
        place = calling_place()
        self._refuse_second_use(definition, name, place)
        named = dict(named)
        after = self._after(named.pop("after", ()), place)
        given = self._given(definition, name, args, named, place)
        inputs: dict[str, Source] = {}
        for input_name, value in given.items():
            if definition.ins[input_name].type is Nothing:
                after = (*after, *self._after(value, place))
            else:
                inputs[input_name] = self._source(value, name, input_name, place)
        self.nodes[name] = StepNode(name, definition, inputs, after, dict(tags), place, hooks)
        return self._outputs(definition, name)

    def _refuse_second_use(self, definition: StepDefinition, name: str, place: Place) -> None:
        other = self.nodes.get(name)
        if other is None:
            return
        if other.definition is definition:
            how = f'Give one of them another name: {definition.fn.__name__}.alias("…")(…).'
        else:
            how = (
                f"It is the step of {definition.place} here and that of {other.definition.place} "
                "there; rename one, or use an alias."
            )
        raise DefinitionError(
            f'{self.where(place)}: there are two steps named "{name}"; the other is called at '
            f"{other.place}. {how}"
        )

    def _given(
        self,
        definition: StepDefinition,
        name: str,
        args: Sequence[Any],
        named: Mapping[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        """Match the arguments of a call to the inputs of the step."""
        where = f'{self.where(place)}: step "{name}" ({definition.place})'
        names = list(definition.ins)
        if len(args) > len(names):
            raise DefinitionError(f"{where} has {len(names)} inputs and is given {len(args)}.")
        given = dict(zip(names, args, strict=False))
        for key, value in named.items():
            if key not in definition.ins:
                raise DefinitionError(
                    f'{where} has no input "{key}".{did_you_mean(key, names)} '
                    f"It has: {', '.join(names) or 'none'}."
                )
            if key in given:
                raise DefinitionError(f'{where} is given its input "{key}" twice.')
            given[key] = value
        missing = [key for key in definition.required_inputs if key not in given]
        if missing:
            raise DefinitionError(f"{where} is not given: {', '.join(missing)}.")
        return given

    def _source(self, value: Any, name: str, input_name: str, place: Place) -> Source:
        if isinstance(value, list | tuple) and _holds_outputs(value):
            members = [self._source(item, name, input_name, place) for item in value]
            if any(isinstance(member, FanIn) for member in members):
                raise DefinitionError(
                    f'{self.where(place)}: input "{input_name}" of step "{name}" is a list of '
                    "lists of outputs; gather the inner lists in a step of their own."
                )
            return FanIn(tuple(m for m in members if not isinstance(m, FanIn)))
        if isinstance(value, OutputHandle):
            self._refuse_foreign(value, place)
            return value._ref
        if isinstance(value, StepOutputs):
            raise DefinitionError(
                f'{self.where(place)}: input "{input_name}" of step "{name}" is given all outputs '
                f'of step "{value._step}"; choose one: {", ".join(value._handles)}.'
            )
        if hasattr(value, "takes_context"):
            raise DefinitionError(
                f'{self.where(place)}: input "{input_name}" of step "{name}" is given the step '
                f"{shown(value)} itself; call it."
            )
        return Constant(value)

    def _after(self, value: Any, place: Place) -> tuple[tuple[str, str | None], ...]:
        """Return what a call is to come after: outputs, or whole steps."""
        handles = value if isinstance(value, list | tuple | set) else [value]
        found: dict[tuple[str, str | None], None] = {}
        for handle in handles:
            if isinstance(handle, StepOutputs):
                found[handle._step, None] = None
            elif isinstance(handle, OutputHandle):
                self._refuse_foreign(handle, place)
                ref = handle._ref
                found[ref.step, None if handle._whole else ref.output] = None
            else:
                raise DefinitionError(
                    f"{self.where(place)}: after= takes what calls of steps returned, "
                    f"not {shown(handle)}."
                )
        return tuple(found)

    def _refuse_foreign(self, handle: OutputHandle, place: Place) -> None:
        if handle._composition is not self:
            raise DefinitionError(
                f"{self.where(place)}: the {handle!r:.200} belongs to the pipeline "
                f'"{handle._composition.pipeline}".'
            )

    def _outputs(self, definition: StepDefinition, name: str) -> OutputHandle | StepOutputs:
        whole = len(definition.outs) == 1
        handles = {
            output: OutputHandle(self, OutputRef(name, output), whole=whole)
            for output in definition.outs
        }
        return next(iter(handles.values())) if whole else StepOutputs(self, name, handles)


def _holds_outputs(value: object) -> bool:
    """Tell whether a value is an output, or a list with one somewhere in it."""
    if isinstance(value, list | tuple):
        return any(_holds_outputs(item) for item in value)
    return isinstance(value, OutputHandle | StepOutputs)
