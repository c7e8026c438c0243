"""What was said of exposures as wholes, and what was made of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "exposures",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("instrument", _TEXT, nullable=False),
        sa.Column("obs_id", _TEXT, nullable=False),
        sa.Column("camera", _TEXT, nullable=False),
        sa.Column("day_obs", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger, nullable=False),
        sa.Column("sensors", _TEXT, nullable=False),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("list_key", _TEXT, nullable=False),
        sa.Column("started_at", _TEXT),
        sa.Column("exposure_time", sa.Double),
        sa.Column("read_out_at", _TEXT),
        sa.Column("due_at", _TEXT),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("said_at", _TEXT),
        sa.Column("entry", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exposures"),
        sa.UniqueConstraint("obs_id", "instrument", name="uq_exposures_obs_id_instrument"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_exposures_night", "exposures", ["camera", "day_obs", "seq_num"])
    op.create_index("ix_exposures_due", "exposures", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE)
