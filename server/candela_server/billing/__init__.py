"""What is owed: due periods become invoices, to the cent and exactly once."""
