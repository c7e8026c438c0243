"""Results as tables: findings and sources as Arrow rows with a stated schema, and Parquet."""

from rapid.processing.catalogue.findings import FINDINGS, findings_of, findings_table
from rapid.processing.catalogue.frames import catalogue_of, findings_of_frame
from rapid.processing.catalogue.parquet import read_parquet, write_parquet
from rapid.processing.catalogue.schema import Column, Schema
from rapid.processing.catalogue.sources import SOURCES, source_table, sources_of

__all__ = [
    "FINDINGS",
    "SOURCES",
    "Column",
    "Schema",
    "catalogue_of",
    "findings_of",
    "findings_of_frame",
    "findings_table",
    "read_parquet",
    "source_table",
    "sources_of",
    "write_parquet",
]
