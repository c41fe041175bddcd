"""The schema of the feed."""
