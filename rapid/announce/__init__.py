"""What rapid tells other systems: results, alerts and verdicts, and files of a directory, on Kafka or MQTT.

::

    messages     the contract, published in docs/schemas
    composing    from what the ledger holds to messages
    announcer    reads the logs of the ledger and publishes them, in order, again after every fault
    watching     what of the service's own state is worth an alert
    files        a file that can be read, as a store or our own contract announces it
    kafka, mqtt  the two buses; each needs the extra of its name
"""

from rapid.announce.announcer import Announcer
from rapid.announce.bus import Announcement, Bus, Publish
from rapid.announce.composing import Composer

__all__ = ["Announcement", "Announcer", "Bus", "Composer", "Publish"]
