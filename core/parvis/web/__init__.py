"""Pages over HTTP: requests, rendering, cards and the pages of the core."""

from parvis.web.bulk import Bulk
from parvis.web.cards import joined_cards, render_cards
from parvis.web.file_pages import receive_upload
from parvis.web.rendering import SlotPage, fragment, page, redirect, url
from parvis.web.request import Form, Request
from parvis.web.return_paths import former_page

__all__ = (
    "Bulk",
    "Form",
    "Request",
    "SlotPage",
    "former_page",
    "fragment",
    "joined_cards",
    "page",
    "receive_upload",
    "redirect",
    "render_cards",
    "url",
)
