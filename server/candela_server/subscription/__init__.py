"""Who holds which plan, and since when."""
