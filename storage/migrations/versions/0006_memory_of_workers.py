"""How much memory each worker gives, and what steps that were too large for one need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "workers", sa.Column("memory_bytes", BIG, nullable=False, server_default=sa.text("0"))
    )
    op.add_column("steps", sa.Column("memory_bytes", BIG, nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "memory_bytes")
    op.drop_column("workers", "memory_bytes")
