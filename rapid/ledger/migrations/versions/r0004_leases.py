"""Who makes an attempt and how long he is believed to, and who wrote a night out: for several services on one ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns; what an earlier release left running is held by nobody."""
    op.add_column("attempts", sa.Column("holder", _TEXT, nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("leased_until", _TEXT))
    op.add_column("nights", sa.Column("published_by", _TEXT, nullable=False, server_default=""))
