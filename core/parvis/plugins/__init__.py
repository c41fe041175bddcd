"""The plugin manager: discover, order, enable, disable, quarantine, measure; declare, ask and tell."""

from parvis.plugins.calls import Answer, Counter, Failure, Limits, current_plugin
from parvis.plugins.declared import Declared
from parvis.plugins.description import PluginState
from parvis.plugins.reasons import Reason
from parvis.plugins.registry import PluginRegistry
from parvis.plugins.states import State

__all__ = (
    "Answer",
    "Counter",
    "Declared",
    "Failure",
    "Limits",
    "PluginRegistry",
    "PluginState",
    "Reason",
    "State",
    "current_plugin",
)
