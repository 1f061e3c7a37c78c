"""Run the steps of a pipeline in this process: the door of the package for a worker.

The signatures a worker calls:

    compile_plan(pipeline, steps=None) -> ExecutionPlan            # keep it, per pipeline
    execute(plan, *, info, run_config, recorder, control, clock,
            outputs=None, done={}, tried={}) -> RunOutcome         # never raises for users' code
"""
