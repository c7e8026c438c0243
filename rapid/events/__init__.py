"""What reaches the service, as frozen values, and the keys they carry.

Everything that comes from outside is checked before it becomes one of these, once.
"""

from rapid.events.exposures import (
    ExpectedSensors,
    ExpectedSensorsWritten,
    ExposureSeen,
    FileIngested,
    FilesWritten,
    JobEnded,
    LargeFileWritten,
    NextVisit,
    NextVisitCanceled,
    ServiceStatus,
    Stage,
    TransferSummary,
)
from rapid.events.files import FileArrived, FileRemoved, Ignored, Origin, Rejected, Why
from rapid.events.keys import (
    KEY_LIMIT,
    ExposureName,
    NameFacts,
    camera_of,
    check_key,
    exposure_name,
    is_raw_name,
    name_facts,
)

__all__ = [
    "KEY_LIMIT",
    "Event",
    "ExpectedSensors",
    "ExpectedSensorsWritten",
    "ExposureName",
    "ExposureSeen",
    "FileArrived",
    "FileIngested",
    "FileRemoved",
    "FilesWritten",
    "Ignored",
    "JobEnded",
    "LargeFileWritten",
    "NameFacts",
    "NextVisit",
    "NextVisitCanceled",
    "Origin",
    "Rejected",
    "ServiceStatus",
    "Stage",
    "TransferSummary",
    "Why",
    "camera_of",
    "check_key",
    "exposure_name",
    "is_raw_name",
    "name_facts",
]

Event = (
    ExpectedSensors
    | ExpectedSensorsWritten
    | ExposureSeen
    | FileArrived
    | FileIngested
    | FileRemoved
    | FilesWritten
    | JobEnded
    | LargeFileWritten
    | NextVisit
    | NextVisitCanceled
    | ServiceStatus
    | TransferSummary
)
"""Everything that a well-formed announcement may be."""
