"""Partitioned backfills on Celery."""
