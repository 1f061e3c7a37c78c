"""Definitions: what the project's code defines, and what its functions answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from backfill.api.columns import Columns, ColumnsWanted, Paging, column_page
from backfill.api.context import Api, Cursor, KeyQuery, Limit, NamePath, StartQuery
from backfill.api.door import needs
from backfill.api.keys import Order, OrderQuery, require_key
from backfill.definitions.redaction import redact
from backfill.definitions.selection.syntax import Wildcard
from backfill.roles import Role
from backfill.schemas import definitions as schemas

router = APIRouter(tags=["definitions"])


@router.get("/definitions")
def get_definitions(api: Api) -> schemas.Definitions:
    """Return everything that is defined, and what of it does not work."""
    return schemas.Definitions.model_validate(api.definitions.catalog())


@router.get("/pipelines/{name}")
def get_pipeline(api: Api, name: NamePath) -> schemas.Pipeline:
    """Return a pipeline with its step graph and the JSON Schema of its run config."""
    return schemas.Pipeline.model_validate(api.definitions.catalog().pipeline(name))


@router.post("/pipelines/{name}/validate")
@needs(Role.VIEWER)
def validate_config(
    api: Api, name: NamePath, body: schemas.ValidateConfig
) -> schemas.ConfigValidation:
    """Say whether a run config fits a pipeline; every error carries its path."""
    api.definitions.catalog().pipeline(name)
    errors = api.definitions.validate_config(name, body.run_config)
    return schemas.ConfigValidation.model_validate({"valid": not errors, "errors": errors})


@router.get("/partition-sets/{name}")
def get_partition_set(api: Api, name: NamePath) -> schemas.PartitionSet:
    """Return a partition set."""
    return schemas.PartitionSet.model_validate(api.definitions.catalog().partition_set(name))


@router.get("/partition-sets/{name}/partitions")
def list_partitions(
    api: Api,
    name: NamePath,
    wanted: ColumnsWanted,
    search: Annotated[
        str | None, Query(max_length=200, description="Only keys that hold this text.")
    ] = None,
    order: OrderQuery = Order.OLDEST,
    start: StartQuery = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> schemas.PartitionPage:
    """Return a page of a set's partitions, all or those that fit.

    `select` narrows by the selection language: statuses, times, patterns; `backfill` and `tag` to
    partitions with such runs. What is narrowed follows within a few seconds.
    """
    paging = Paging(order, limit, start=start, cursor=cursor)
    page, _ = column_page(api, name, _holding(wanted, search), paging)
    items = [
        schemas.Partition(key=key, index=index) for index, key in page.places if index is not None
    ]
    return schemas.PartitionPage(items=items, next=page.next, count=page.count)


def _holding(wanted: Columns, search: str | None) -> Columns:
    """Narrow to the keys that hold a text."""
    if not search or not search.strip():
        return wanted
    pattern = str(Wildcard(("", search.strip(), "")))
    select = pattern if wanted.select is None else f"({wanted.select}) & {pattern}"
    return replace(wanted, select=select)


@router.get("/partition-sets/{name}/config")
def resolve_config(api: Api, name: NamePath, partition: KeyQuery) -> schemas.ResolvedConfig:
    """Return the run config and the tags that the run of a partition would get."""
    found = api.definitions.run_config(name, require_key(partition), api.clock())
    return schemas.ResolvedConfig.model_validate(
        {**vars(found), "partition": partition, "config": redact(found.config)}
    )
