"""Pools and limits of tags."""

from __future__ import annotations

from backfill.client.requests import Requests, part
from backfill.schemas.pools import Pool, Pools, TagLimit, TagLimits


class LimitRequests(Requests):
    """What bounds how much runs at once."""

    def pools(self) -> list[Pool]:
        """Return every pool, by name: its slots and how many are taken."""
        return Pools.model_validate(self._get("/pools")).items

    def set_pool(self, name: str, slots: int | None) -> Pool:
        """Change how many slots a pool has: 0 closes it, None makes it the default again."""
        return Pool.model_validate(self._post(f"/pools/{part(name)}", {"slots": slots}))

    def tag_limits(self) -> list[TagLimit]:
        """Return every limit of the active runs with a tag."""
        return TagLimits.model_validate(self._get("/tag-limits")).items

    def set_tag_limit(
        self, key: str, max_active_runs: int | None, *, value: str | None = None
    ) -> list[TagLimit]:
        """Let at most so many runs with a tag be active; None takes the limit away.

        Args:
            value: Of the tag; None: so many of each value.
        """
        body = {"key": key, "value": value, "max_active_runs": max_active_runs}
        return TagLimits.model_validate(self._post("/tag-limits", body)).items
