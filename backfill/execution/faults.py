"""Failures of a step that the engine finds itself."""

from __future__ import annotations

from backfill.errors import Invalid


class StepFault(Invalid):
    """A step did not keep to its definition; trying again would end the same way."""

    code = "step_fault"


class InputWrong(StepFault):
    """An input is not of the type the step declares."""

    code = "input_wrong"


class OutputWrong(StepFault):
    """A step yielded an output it does not have, twice, or of another type, or none at all."""

    code = "output_wrong"


class OutputNotSerializable(StepFault):
    """An output cannot be kept for later attempts."""

    code = "output_not_serializable"


class MetadataWrong(StepFault):
    """Metadata of a step is nothing that JSON can carry."""

    code = "metadata_wrong"


class OutputMissing(Invalid):
    """A kept output is gone, or cannot be read any more."""

    code = "output_missing"


class UpstreamMissing(Invalid):
    """A selected step needs the output of a step that is not selected and was not kept."""

    code = "upstream_missing"


class NoPartition(Invalid):
    """A step asks for the partition of a run that has none, or several."""

    code = "no_partition"
