"""What may be asked of events in SQL, and what it means (EVT-6)."""
