"""Where the catalogues of an exposure are."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; what an earlier release found has none."""
    op.add_column("rows", sa.Column("catalogues", _TEXT, nullable=False, server_default="{}"))
