"""A guest book: the plugin that the hook reference takes its examples from."""
