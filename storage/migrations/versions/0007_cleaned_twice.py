"""When what never became an asset is cleaned again; it is found without a look at all uploads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("clean_again_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("uploads_to_clean", "uploads", ["cleaned_at", "state"], unique=False)


def downgrade() -> None:
    op.drop_index("uploads_to_clean", table_name="uploads")
    op.drop_column("uploads", "clean_again_at")
