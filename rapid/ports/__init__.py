"""What the middle of the house asks of its edges.

Every port has a contract suite in ``tests/contracts``; a fake and the real thing pass the same one.
"""

from rapid.ports.bus import Batch, Source
from rapid.ports.entries import Arrival, Attempt, Counts, DeadLetter, FeedEvent, Recorded, State
from rapid.ports.exposures import DetectorStanding, Exposures, Heard, Product, Standing
from rapid.ports.ledger import Ledger
from rapid.ports.outbox import Bulletin, Outbox, Place
from rapid.ports.stores import Store, StoredObject
from rapid.ports.work import EncodedCatalogue, EncodedPicture, Gallery, JsonValue, Outcome, Row, Task, Workers

__all__ = [
    "Arrival",
    "Attempt",
    "Batch",
    "Bulletin",
    "Counts",
    "DeadLetter",
    "DetectorStanding",
    "EncodedCatalogue",
    "EncodedPicture",
    "Exposures",
    "FeedEvent",
    "Gallery",
    "Heard",
    "JsonValue",
    "Ledger",
    "Outbox",
    "Outcome",
    "Place",
    "Product",
    "Recorded",
    "Row",
    "Source",
    "Standing",
    "State",
    "Store",
    "StoredObject",
    "Task",
    "Workers",
]
