"""Getting it paid; not served yet."""
