"""What a browser says while pages are open: refused scripts, errors, dialogs. A test fails on any of it."""

from __future__ import annotations

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Response

# Kept where no page can take it away: what a page breaks is told by the browser's console too.
LISTEN = """
document.addEventListener("securitypolicyviolation", (event) => window.parvisReport(
  `CSP ${event.violatedDirective}: ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber} ${event.sample}`
), true);
addEventListener("unhandledrejection", (event) => window.parvisReport(`rejected: ${event.reason}`));
"""
# An answer of 403 or 422 is what many tests ask for; subresources are watched by their answers below.
EXPECTED = "Failed to load resource: the server responded with a status of"
PARTS = {"stylesheet", "script", "image", "font", "media", "manifest"}


class Watch:
    """Collects what must not happen in a browser's context."""

    def __init__(self) -> None:
        self.reports: list[str] = []

    async def follow(self, context: BrowserContext) -> None:
        """Watch every page of a context, from its first line on."""
        await context.expose_function("parvisReport", lambda text: self.reports.append(text))
        await context.add_init_script(LISTEN)
        context.on("page", self._page)

    def _page(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.reports.append(f"error: {error} {error.stack or ''}"))
        page.on("dialog", self._dialog)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED):
            self.reports.append(f"console: {message.text} {message.location.get('url', '')}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.reports.append(f"dialog: {dialog.type} {dialog.message}")
        await dialog.dismiss()

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in PARTS:
            self.reports.append(f"{response.status} for {response.url}")
