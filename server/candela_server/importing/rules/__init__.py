"""What a row of a usage file means."""
