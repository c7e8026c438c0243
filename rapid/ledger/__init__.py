"""What is written down: arrivals, attempts, results, dead letters and the feed.

::

    store      the port `rapid.ports.Ledger`, asynchronous: which call runs on which thread
    inbox      arrivals and dead letters are recorded, each once
    batch      what becomes of each announcement: new, known already, back again, or another's exposure
    attempts   an attempt begins, ends well, ends badly; what a killed life left is recovered
    table      the night table, its versions and the feed are written together
    exposures  exposures as wholes;  hearing: what is said of them apart from their files
    catching_up  what a listing of the archive is compared with
    reading    everything that only looks
    alone      the lock of a ledger that is one service's own, and whether a service holds it
    leases     which service is at which attempt, where several share a ledger;  clock: the one clock they go by
    watch      waiting for the feed
    schema     the tables;  migrate: how an older database becomes them
    engines    what is needed of a database;  databases: which one an address names
    sqlite     everything that is SQLite's own: opening, durability, locking, the meaning of its errors
    postgres   the same of PostgreSQL;  notices: what its clients tell each other
"""

from rapid.ledger.alone import beside_database, is_served, lock
from rapid.ledger.databases import is_shared, ledger_place
from rapid.ledger.store import open_ledger

__all__ = ["beside_database", "is_served", "is_shared", "ledger_place", "lock", "open_ledger"]
