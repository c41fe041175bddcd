"""Parvis: the names a plugin imports. This module imports no service."""

from parvis.declarations import (
    ACCEPT,
    AuthProvider,
    ContentFilter,
    ContentType,
    Decision,
    Draft,
    Event,
    Fragment,
    NavItem,
    Permission,
    PluginInfo,
    Review,
    Setting,
    hold,
    reject,
)
from parvis.hookspecs import hookimpl, hookspec

__version__ = "0.1.0"

__all__ = (
    "ACCEPT",
    "AuthProvider",
    "ContentFilter",
    "ContentType",
    "Decision",
    "Draft",
    "Event",
    "Fragment",
    "NavItem",
    "Permission",
    "PluginInfo",
    "Review",
    "Setting",
    "__version__",
    "hold",
    "hookimpl",
    "hookspec",
    "reject",
)
