"""What a schedule's functions are given and what they may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backfill.definitions.partitions import DynamicKeys
from backfill.errors import DefinitionError


@dataclass(frozen=True)
class ScheduleContext:
    """What a schedule's functions know.

    Attributes:
        scheduled_execution_time: The tick, in the schedule's time zone; not when it is handled.
        dynamic_keys: Where dynamic partitions find their keys.
    """

    schedule_name: str
    scheduled_execution_time: datetime
    dynamic_keys: DynamicKeys | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SkipReason:
    """A tick that makes no run, and why."""

    skip_message: str | None = None

    def __post_init__(self) -> None:
        if self.skip_message is not None and not isinstance(self.skip_message, str):
            raise DefinitionError(f"A SkipReason is a text, not {self.skip_message!r}.")


@dataclass(frozen=True)
class RunRequest:
    """A run that a tick makes; each run key makes one run per tick."""

    run_key: str | None = None
    run_config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] | None = None
