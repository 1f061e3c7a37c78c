"""Answers cases (JSON on stdin) by Dagster's own classes; runs in the oracle's environment."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
warnings.simplefilter("ignore")

import building  # noqa: E402, I001
import dagster  # noqa: E402
from dagster._core.definitions.partitions.context import partition_loading_context  # noqa: E402


SECONDS_PER_CASE = 20


def _give_up(*_: Any) -> None:
    raise TimeoutError(f"no answer within {SECONDS_PER_CASE} s")


def ask(function: Any, at: Any) -> Any:
    with partition_loading_context(at):
        return function()


def main() -> None:
    signal.signal(signal.SIGALRM, _give_up)
    for case in json.load(sys.stdin):
        try:
            signal.alarm(SECONDS_PER_CASE)
            definition = building.build(dagster, case["kind"], case["arguments"])
            answer = building.answers(definition, case["now"], case["moments"], ask)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        signal.alarm(0)
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
