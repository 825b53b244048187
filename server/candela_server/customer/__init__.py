"""Who buys, and the users who act for them."""
