"""Choosing: a request checked against the definitions, its selection frozen with facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backfill.definitions.calls import Definitions, SelectionResult
from backfill.definitions.catalog import PipelineInfo
from backfill.definitions.facts import INCOMPLETE, Take
from backfill.definitions.selection import parse, status_words
from backfill.definitions.step_selection import select_steps
from backfill.errors import Invalid, did_you_mean
from backfill.lifecycle.guarding import take_of
from backfill.lifecycle.ordering import check_order_of_set, check_previous
from backfill.lifecycle.reprocessing import (
    Reprocess,
    left_out,
    marks,
    needed,
    needed_to_explain,
    reprocess_of,
)
from backfill.lifecycle.requests import BackfillRequest, check_numbers
from backfill.lifecycle.spanning import check_longest, partitions_per_run
from backfill.lifecycle.statuses import look_up
from backfill.storage.database import Database
from backfill.storage.queries.blocks import blocked_keys

FactKeys = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Choice:
    """What a request chose: the pipeline, the tags of its runs, and the partitions.

    Attributes:
        code_version: Of the definitions that were asked.
        selected: What would run; what is left out of the selection is counted in it.
        partitions_per_run: So many neighbours are run together, 0 for all; None: one each.
        chosen: The steps that the request itself names; `steps` has the set's, too.
    """

    pipeline: PipelineInfo
    tags: Mapping[str, str]
    steps: Sequence[str] | None
    reprocess: Reprocess
    code_version: str
    selected: SelectionResult
    partitions_per_run: int | None = None
    chosen: Sequence[str] | None = None


@dataclass(frozen=True)
class Wanted:
    """A selection to evaluate with what the database knows.

    Attributes:
        version: The pipeline's.
        limit: More partitions are refused.
        until: Only what had happened by then (database clock, microseconds).
        without: As if this backfill had never been.
        explained: Also tell apart what would run and what would wait.
        known: Further facts that leave partitions out.
        take: Only so many of what is left.
    """

    partition_set: str
    selection: str
    version: str
    reprocess: Reprocess
    at: datetime
    limit: int
    until: int | None = None
    without: int | None = None
    explained: bool = False
    known: FactKeys = field(default_factory=dict)
    take: Take | None = None
    listed: bool = False


def choose(
    db: Database,
    definitions: Definitions,
    request: BackfillRequest,
    *,
    at: datetime,
    limit: int,
    explained: bool = False,
) -> Choice:
    """Check a request against the definitions and evaluate its selection.

    Raises:
        NotFound: No such partition set.
        Invalid: A number, a step, an order or the way to reprocess makes no sense.
        SelectionInvalid: The selection does not parse, names unknown keys or selects nothing.
    """
    check_numbers(request)
    catalog = definitions.catalog()
    partition_set = catalog.partition_set(request.partition_set)
    pipeline = catalog.pipeline(partition_set.pipeline)
    chosen = steps_named(pipeline, request.steps)
    check_order_of_set(request, partition_set)
    words = status_words(parse(request.selection))
    reprocess = reprocess_of(request.reprocess, words=words, steps=request.steps)
    wanted = Wanted(
        request.partition_set,
        request.selection,
        pipeline.version,
        reprocess,
        at,
        limit,
        explained=explained,
        known=_blocked(db, request.partition_set),
        take=take_of(request),
        listed=request.ordering == "listed",
    )
    together = partitions_per_run(request, partition_set)
    selected = evaluate(db, definitions, wanted)
    check_longest(together, selected)
    if request.depends_on_previous:
        check_previous(
            db, definitions, request.partition_set, selected, version=pipeline.version, at=at
        )
    return Choice(
        pipeline,
        {**pipeline.tags, **request.tags},
        chosen or partition_set.step_selection,
        reprocess,
        catalog.version,
        selected,
        together,
        chosen,
    )


def _blocked(db: Database, partition_set: str) -> FactKeys:
    """Return the partitions that operators have blocked, as facts that leave them out."""
    with db.read() as conn:
        keys = blocked_keys(db, conn, partition_set)
    return {"blocked": keys} if keys else {}


def evaluate(db: Database, definitions: Definitions, wanted: Wanted) -> SelectionResult:
    """Evaluate a selection with the facts it needs, all looked up at one moment.

    A selection of a few partitions looks at their runs only.
    """
    words = status_words(parse(wanted.selection))
    facts_needed = needed(wanted.reprocess) | (
        needed_to_explain() if wanted.explained else frozenset()
    )
    first = None if words or wanted.take else _select(definitions, wanted)
    if first is not None and not facts_needed:
        return first
    with db.snapshot() as conn:
        facts = look_up(
            db,
            conn,
            wanted.partition_set,
            words | facts_needed,
            version=wanted.version,
            until=wanted.until,
            only=None if first is None else first.keys,
            without=wanted.without,
        )
    leave_out = left_out(wanted.reprocess, facts)
    mark = marks(wanted.reprocess, facts) if wanted.explained else {}
    if first is not None and _say_nothing(leave_out) and _say_nothing(mark):
        return first
    statuses = {key: facts.keys[key] for key in facts.keys if key.removeprefix("!") in words}
    return _select(definitions, wanted, statuses=statuses, leave_out=leave_out, mark=mark)


def steps_named(pipeline: PipelineInfo, steps: Sequence[str] | None) -> Sequence[str] | None:
    """Return the steps that step selections name, such as `load*`; None for all.

    Raises:
        Invalid: One cannot be read, or the pipeline lacks its step.
    """
    if not steps:
        return None
    upstream = {step.name: step.upstream for step in pipeline.steps}
    return select_steps(pipeline.name, upstream, steps)


def check_steps(pipeline: PipelineInfo, steps: Sequence[str] | None) -> None:
    """Raise Invalid when a pipeline lacks one of the steps."""
    known = [step.name for step in pipeline.steps]
    for name in steps or ():
        if name not in known:
            raise Invalid(
                f'Pipeline "{pipeline.name}" has no step "{name}".{did_you_mean(name, known)} '
                f"It has: {', '.join(known)}."
            )


def _select(
    definitions: Definitions,
    wanted: Wanted,
    *,
    statuses: FactKeys | None = None,
    leave_out: FactKeys | None = None,
    mark: FactKeys | None = None,
) -> SelectionResult:
    return definitions.select(
        wanted.partition_set,
        wanted.selection,
        wanted.at,
        limit=wanted.limit,
        statuses=statuses,
        leave_out={**wanted.known, **(leave_out or {})},
        mark=mark or ({INCOMPLETE: ()} if wanted.explained else {}),
        take=wanted.take,
        listed=wanted.listed,
    )


def _say_nothing(facts: FactKeys) -> bool:
    return not any(keys or name.startswith("!") for name, keys in facts.items())
