"""The inbox: arrivals, attempts, claims and dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("retried_at IS NULL AND superseded_at IS NULL")
_CURRENT = sa.text("state <> 'superseded'")
_RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    """Make the tables."""
    _make_arrivals()
    _make_attempts()
    _make_claims()
    _make_dead_letters()


def _make_arrivals() -> None:
    op.create_table(
        "arrivals",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("content", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("instrument", _TEXT),
        sa.Column("obs_id", _TEXT),
        sa.Column("day_obs", sa.BigInteger),
        sa.Column("seq_num", sa.BigInteger),
        sa.Column("detector_name", _TEXT),
        sa.Column("written_at", _TEXT, nullable=False),
        sa.Column("seen_at", _TEXT, nullable=False),
        sa.Column("recorded_at", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("interruptions", sa.BigInteger, nullable=False),
        sa.Column("not_before", _TEXT, nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arrivals"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'superseded')", name=op.f("ck_arrivals_state")
        ),
        sa.UniqueConstraint("key", "content", name="uq_arrivals_key_content"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_arrivals_state", "arrivals", ["state"])
    op.create_index(
        "uq_arrivals_current_key", "arrivals", ["key"], unique=True, sqlite_where=_CURRENT, postgresql_where=_CURRENT
    )


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("arrival_id", _NUMBER, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("started_at", _TEXT, nullable=False),
        sa.Column("ended_at", _TEXT),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("feed_id", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'failed', 'superseded', 'interrupted')", name=op.f("ck_attempts_state")
        ),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrivals.id"], name="fk_attempts_arrival_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_arrival_id", "attempts", ["arrival_id"])
    op.create_index("ix_attempts_running", "attempts", ["id"], sqlite_where=_RUNNING, postgresql_where=_RUNNING)


def _make_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("obs_id", _TEXT, nullable=False),
        sa.Column("detector_name", _TEXT, nullable=False),
        sa.Column("instrument", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("obs_id", "detector_name", "instrument", name="pk_claims"),
    )


def _make_dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("arrival_id", _NUMBER),
        sa.Column("retried_at", _TEXT),
        sa.Column("superseded_at", _TEXT),
        sa.Column("fingerprint", _TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sa.CheckConstraint("kind IN ('file', 'message')", name=op.f("ck_dead_letters_kind")),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrivals.id"], name="fk_dead_letters_arrival_id"),
        sa.UniqueConstraint("fingerprint", name="uq_dead_letters_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_dead_letters_arrival_id", "dead_letters", ["arrival_id"])
    op.create_index("ix_dead_letters_open", "dead_letters", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
