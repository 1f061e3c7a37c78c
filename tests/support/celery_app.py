"""A Celery application that does nothing, for tests of the processes around it."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("tests", broker=os.environ["TESTS_BROKER_URL"])
app.conf.update(broker_connection_retry_on_startup=True, worker_proc_alive_timeout=60.0)
