"""Why a worker cannot do a profile, in Chinese too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("capabilities", sa.Column("reason_zh", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("capabilities", "reason_zh")
