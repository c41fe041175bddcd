"""A plugin that hides what is meant for later: a guard."""
