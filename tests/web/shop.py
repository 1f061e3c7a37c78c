"""A shop's daily sales, for the pictures of the docs: some days of it do not work."""

import datetime as dt

from backfill import (
    DailyPartitionsDefinition,
    Failure,
    Field,
    PartitionSetDefinition,
    pipeline,
    step,
)


@step(
    config_schema={
        "day": Field(str, description="The day to load."),
        "limit": Field(int, default_value=500, is_required=False),
    }
)
def orders(context):
    """Read the orders of a day."""
    context.log.info(f"reading the orders of {context.step_config['day']}")
    return [{"order": n, "amount": n * 3 % 97} for n in range(context.step_config["limit"])]


@step
def customers(context):
    """Read the customers who ordered."""
    context.log.info("reading customers")
    return {n: f"customer {n}" for n in range(97)}


@step
def charge(context, orders, customers):
    """Charge every order to its customer."""
    day = dt.date.fromisoformat(context.partition_key)
    if day.day == 14:
        raise Failure(f"payment provider refused {len(orders)} orders: certificate expired")
    return sum(order["amount"] for order in orders)


@step
def stock(context, orders):
    """Take what was sold out of stock."""
    if context.partition_key.endswith(("-03-03", "-05-05", "-06-06")):
        raise KeyError("shelf 12")
    return len(orders)


@step(pool="warehouse")
def report(context, charged, sold):
    """Store the report of the day."""
    context.log.info(f"charged {charged} for {sold} orders")


@pipeline
def shop():
    """The sales of a day, from orders to the report."""
    ordered = orders()
    report(charge(ordered, customers()), stock(ordered))


shop_days = PartitionSetDefinition(
    name="shop_days",
    pipeline_name="shop",
    partitions_def=DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-08-01"),
    run_config_fn_for_partition=lambda partition: {
        "steps": {"orders": {"config": {"day": partition.name}}}
    },
)

shop_every_day = shop_days.create_schedule_definition(
    "shop_every_day",
    "0 6 * * *",
    partition_selector=lambda context, partition_set: partition_set.get_partitions()[-1],
)
