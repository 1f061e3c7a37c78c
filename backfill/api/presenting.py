"""From what is read to what is shown: progress, links, secrets taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from backfill.api.context import Context
from backfill.definitions.hours import Hours, opening
from backfill.definitions.merging import shown_override
from backfill.definitions.redaction import redact
from backfill.lifecycle import planning
from backfill.lifecycle.forecasting import Forecast
from backfill.schemas import backfills as shown
from backfill.schemas.backfills import Backfill, Plan, Progress, Span
from backfill.schemas.runs import Run, StepOutcome
from backfill.states import BACKFILL_FINAL, BackfillState
from backfill.storage.queries.attempts import StepView
from backfill.storage.queries.backfills import BackfillView
from backfill.storage.queries.runs import RunView

T = TypeVar("T")

RANGES_SHOWN = 100
_STANDING = {BackfillState.PAUSED, BackfillState.CANCELING}


def present_backfill(
    context: Context, view: BackfillView, forecast: Forecast | None = None
) -> Backfill:
    """Return a backfill as the API shows it."""
    recent = recent_rate(context, view)
    return Backfill.model_validate(
        {
            **vars(view),
            "opens_at": _opens_at(view),
            "progress": progress_of(view, recent, forecast),
            "run_config": redact(shown_override(view.run_config)),
        }
    )


def _opens_at(view: BackfillView) -> datetime | None:
    """Return when the next window of a backfill begins that is not over and outside of them."""
    if view.state in BACKFILL_FINAL or not view.windows:
        return None
    hours = [Hours.unpacked(window) for window in view.windows]
    now = opening(hours, datetime.fromtimestamp(view.now / 1e6, UTC))
    return None if now.is_open else now.until


def present_plan(partition_set: str, selection: str, plan: planning.Plan) -> Plan:
    """Return a plan as the API shows it, the secrets of its run config taken out."""
    choice, config = plan.choice, plan.config
    selected = choice.selected
    shown = None
    if config is not None:
        shown = {**vars(config), "partition": plan.partition, "config": redact(config.config)}
    return Plan.model_validate(
        {
            "partition_set": partition_set,
            "pipeline": choice.pipeline.name,
            "selection": selection,
            "reprocess": choice.reprocess,
            "selected": selected.whole.size,
            "count": selected.count,
            "first": selected.whole.first,
            "last": selected.whole.last,
            "groups": plan.groups,
            "counts": plan.counts,
            "ranges": [
                Span(first=r.first, last=r.last, count=r.size)
                for r in selected.key_ranges[:RANGES_SHOWN]
            ],
            "range_count": len(selected.key_ranges),
            "tags": choice.tags,
            "estimate": plan.estimate,
            "config": shown,
            **vars(plan.check),
        }
    )


def present_run(context: Context, view: RunView) -> Run:
    """Return a run as the API shows it."""
    flower = context.settings.flower_url.rstrip("/")
    link = f"{flower}/task/{view.message_id}" if flower and view.message_id else None
    return Run.model_validate(
        {**vars(view), "flower_url": link, "run_config": redact(shown_override(view.run_config))}
    )


def present_steps(views: Sequence[StepView]) -> list[StepOutcome]:
    """Return step outcomes as the API shows them."""
    return [StepOutcome.model_validate(view) for view in views]


def recent_rate(context: Context, view: BackfillView) -> float | None:
    """Return the runs of a backfill that finished per second lately, if any did."""
    return context.rates.per_second(view.id, view.now // 1_000_000)


def progress_of(
    view: BackfillView, recent: float | None, forecast: Forecast | None = None
) -> Progress:
    """Return how far a backfill is.

    Args:
        recent: Runs that finished per second lately; None falls back to the mean since its start.
        forecast: When it will be done, where that was asked; else the rate alone tells.
    """
    counts = view.counts
    finished = counts.finished
    of = finished + counts.pending + counts.queued + counts.running + counts.unlaunched
    rate = recent if recent is not None else _mean_rate(view)
    left: float | None = None
    if view.state in BACKFILL_FINAL:
        rate, left = _mean_rate(view), 0.0
    elif rate and view.state not in _STANDING:
        left = round((of - finished) / rate, 1)
    if forecast is not None and forecast.likely_seconds is not None:
        left = round(forecast.likely_seconds, 1)
    return Progress(
        finished=finished,
        of=of,
        fraction=round(finished / of, 6) if of else 0.0,
        runs_per_second=None if rate is None else round(rate, 3),
        seconds_left=left,
        forecast=None if forecast is None else shown.Forecast.model_validate(forecast),
    )


def _mean_rate(view: BackfillView) -> float | None:
    if view.started_at is None or not view.counts.finished:
        return None
    seconds = ((view.finished_at or view.now) - view.started_at) / 1e6
    return view.counts.finished / max(seconds, 0.001)


def present_config_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return config errors as plain dictionaries."""
    return [dict(error) for error in errors]
