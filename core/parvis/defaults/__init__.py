"""Core behaviour written as ordinary plugins: sign-in by password, roles and navigation."""
