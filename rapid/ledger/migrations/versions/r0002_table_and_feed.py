"""The night tables, what their columns mean, their versions, and the feed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rows",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("obs_id", sa.Text, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger, nullable=False),
        sa.Column("detector_name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("arrival_id", sa.Integer, nullable=False),
        sa.Column("cells", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("uncertainties", sa.Text, nullable=False),
        sa.Column("channels", sa.Text, nullable=False),
        sa.Column("failures", sa.Text, nullable=False),
        sa.Column("timings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rows"),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrivals.id"], name="fk_rows_arrival_id"),
        sa.UniqueConstraint("obs_id", "detector_name", "instrument", name="uq_rows_obs_id_detector_name_instrument"),
        sqlite_autoincrement=True,
    )
    summed_up = ["camera", "day_obs", "seq_num", "detector_name", "obs_id", "state"]
    op.create_index("ix_rows_night", "rows", summed_up)
    op.create_table(
        "columns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_columns"),
        sa.UniqueConstraint("camera", "name", name="uq_columns_camera_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "nights",
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("published_version", sa.BigInteger, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("camera", "day_obs", name="pk_nights"),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
        sa.CheckConstraint("kind IN ('exposure', 'night')", name=op.f("ck_feed_kind")),
        sqlite_autoincrement=True,
    )
