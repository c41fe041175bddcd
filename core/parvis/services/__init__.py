"""Services that every room above stands on: languages, text, files, limits, audit, settings and secrets."""
