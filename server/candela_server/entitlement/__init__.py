"""May this customer do this, now: snapshots of resolved features, and the check itself."""
