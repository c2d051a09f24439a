"""Workers with what each has proven, and steps that need such proofs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("queues", JSON, nullable=False),
        sa.Column("tools", JSON, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
    )
    op.create_index("ix_workers_seen_at", "workers", ["seen_at"])
    op.create_table(
        "capabilities",
        sa.Column(
            "worker_id",
            sa.String(40),
            sa.ForeignKey("workers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("profile_key", sa.String(200), primary_key=True),
        sa.Column("profile", sa.String(100), nullable=False),
        sa.Column("profile_version", sa.Integer(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("proven_at", MOMENT, nullable=False),
    )
    op.create_table(
        "profile_definitions",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("definition", JSON, nullable=False),
    )
    op.create_table(
        "step_needs",
        sa.Column("step_id", sa.String(40), sa.ForeignKey("steps.id"), primary_key=True),
        sa.Column(
            "profile_key",
            sa.String(200),
            sa.ForeignKey("profile_definitions.key"),
            primary_key=True,
        ),
    )
    op.add_column("steps", sa.Column("passed_at", MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "passed_at")
    for table in ("step_needs", "profile_definitions", "capabilities", "workers"):
        op.drop_table(table)
