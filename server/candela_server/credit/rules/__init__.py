"""Credit rules: who pays first, and how much is granted."""
