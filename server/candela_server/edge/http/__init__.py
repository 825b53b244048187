"""What is plain HTTP."""
