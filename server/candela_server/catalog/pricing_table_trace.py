"""What the audit trail keeps of a pricing table (AUD-1)."""

from __future__ import annotations

from typing import Any

from .pricing_table import PricingTable


def pricing_table_trace(table: PricingTable) -> dict[str, Any]:
    """Everything that may change, and the slug."""
    return {
        "slug": table.slug,
        "name": table.name,
        "rows": [
            {
                "plan_id": row.plan_id,
                "popular": row.popular,
                "enterprise_redirect_url": row.enterprise_redirect_url,
            }
            for row in table.rows
        ],
        "archived_at": table.archived_at,
    }
