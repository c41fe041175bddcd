"""A plugin that fills another one's hook without importing it."""
