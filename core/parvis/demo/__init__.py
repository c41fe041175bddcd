"""The demonstration company: its data, and how it is made in a fresh instance."""

from parvis.demo.seed import PASSWORD, Demo, seed

__all__ = ("PASSWORD", "Demo", "seed")
