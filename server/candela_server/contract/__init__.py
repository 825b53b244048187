"""Values that every room's wire shares: the kernel's money, spans and instants as the contract writes them."""
