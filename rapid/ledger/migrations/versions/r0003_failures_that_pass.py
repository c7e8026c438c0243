"""Whether a failure lasts, or may be over when the file is announced again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was buried before stays buried."""
    op.add_column("dead_letters", sa.Column("lasting", sa.Boolean, nullable=False, server_default=sa.true()))
