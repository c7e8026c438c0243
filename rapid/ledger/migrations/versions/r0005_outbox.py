"""What is told to other systems beside the feed, and how far each of them was told."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bulletins",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("body", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bulletins"),
        sa.UniqueConstraint("kind", "subject", name="uq_bulletins_kind_subject"),
        sa.CheckConstraint("kind IN ('alert', 'verdict')", name=op.f("ck_bulletins_kind")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "readers",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("feed_id", sa.BigInteger, nullable=False),
        sa.Column("dead_letter_id", sa.BigInteger, nullable=False),
        sa.Column("bulletin_id", sa.BigInteger, nullable=False),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("leased_until", _TEXT),
        sa.PrimaryKeyConstraint("name", name="pk_readers"),
    )
