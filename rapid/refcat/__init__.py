"""Reference catalogues on disk: made from the tables of others, and opened.

What a catalogue is, and how it is asked, is in `rapid.processing.refcat`.
"""

from rapid.refcat.directory import open_catalogue
from rapid.refcat.ingest import Ingested, ingest
from rapid.refcat.recognition import recognise
from rapid.refcat.tables import StarTable, read_table

__all__ = ["Ingested", "StarTable", "ingest", "open_catalogue", "read_table", "recognise"]
