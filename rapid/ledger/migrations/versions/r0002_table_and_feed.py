"""The night tables, what their columns mean, their versions, and the feed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_rows()
    _make_columns()
    _make_nights()
    _make_feed()


def _make_rows() -> None:
    op.create_table(
        "rows",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("camera", _TEXT, nullable=False),
        sa.Column("instrument", _TEXT, nullable=False),
        sa.Column("obs_id", _TEXT, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger, nullable=False),
        sa.Column("detector_name", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("arrival_id", _NUMBER, nullable=False),
        sa.Column("cells", _TEXT, nullable=False),
        sa.Column("notes", _TEXT, nullable=False),
        sa.Column("uncertainties", _TEXT, nullable=False),
        sa.Column("channels", _TEXT, nullable=False),
        sa.Column("failures", _TEXT, nullable=False),
        sa.Column("timings", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rows"),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrivals.id"], name="fk_rows_arrival_id"),
        sa.UniqueConstraint("obs_id", "detector_name", "instrument", name="uq_rows_obs_id_detector_name_instrument"),
        sqlite_autoincrement=True,
    )
    summed_up = ["camera", "day_obs", "seq_num", "detector_name", "obs_id", "state"]
    op.create_index("ix_rows_night", "rows", summed_up)


def _make_columns() -> None:
    op.create_table(
        "columns",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("camera", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("unit", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("group", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_columns"),
        sa.UniqueConstraint("camera", "name", name="uq_columns_camera_name"),
        sqlite_autoincrement=True,
    )


def _make_nights() -> None:
    op.create_table(
        "nights",
        sa.Column("camera", _TEXT, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("published_version", sa.BigInteger, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("camera", "day_obs", name="pk_nights"),
    )


def _make_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("camera", _TEXT, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger),
        sa.Column("body", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
        sa.CheckConstraint("kind IN ('exposure', 'night')", name=op.f("ck_feed_kind")),
        sqlite_autoincrement=True,
    )
