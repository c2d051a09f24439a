"""When a settled job was tidied; unsent steps are looked for queue by queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("tidied_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("jobs_to_tidy", "jobs", ["tidied_at", "state"], unique=False)
    op.drop_index("steps_unsent", table_name="steps")
    op.create_index("steps_unsent", "steps", ["state", "queue", "sent_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("steps_unsent", table_name="steps")
    op.create_index("steps_unsent", "steps", ["state", "sent_at", "id"], unique=False)
    op.drop_index("jobs_to_tidy", table_name="jobs")
    op.drop_column("jobs", "tidied_at")
