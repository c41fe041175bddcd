"""Every error becomes a page, a fragment or RFC 9457 JSON here, and nowhere else."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any
from urllib.parse import quote

from litestar import Response
from litestar.exceptions import HTTPException

from parvis.errors import (
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    NotFound,
    ParvisError,
    SignInRequired,
    TooLarge,
    TooMany,
)
from parvis.people.history import Moved
from parvis.services.i18n import gettext as _
from parvis.services.i18n import lazy_gettext as _l
from parvis.web.rendering import base_context, fragment, renderer
from parvis.web.request import OFF, STATE, Request, state_in

log = logging.getLogger("parvis.web")


def _titles() -> dict[int, tuple[str, str]]:
    return {
        400: (_("This request cannot be read"), _("Go back and try again.")),
        401: (_("Sign in to continue"), _("Your session ended or you have not signed in yet.")),
        403: (_("You may not do this"), _("Ask a person in charge of the space, or your IT.")),
        404: (
            _("There is nothing here for you"),
            _("The page does not exist, was moved, or is not shared with you."),
        ),
        405: (_("This address does not work that way"), _("Go back and use the button of the page.")),
        409: (_("Somebody else was faster"), _("Load the page again to see what changed.")),
        413: (_("This is too large"), _("Send something smaller, or in several parts.")),
        422: (_("Something is missing or wrong"), _("Look at the fields and send again.")),
        429: (_("Too many requests at once"), _("Wait a minute, then try again.")),
        500: (
            _("Something broke on our side"),
            _(
                "Nothing you wrote was lost before this. Try again; if it stays, give your IT the number below."
            ),
        ),
        503: (_("The service is busy"), _("Try again in a minute.")),
        507: (_("There is no room left"), _("Ask your IT to make room.")),
    }


async def answer_error(request: Request, error: Exception) -> Response[Any]:
    """Return the answer to an error raised by a handler, a guard or the router."""
    if isinstance(error, Moved) and request.scope["method"] == "GET":
        location = error.path(request.scope["path"])
        query = request.scope["query_string"].decode("latin-1")
        # Not a lasting redirect: the former address may become today's again.
        headers = {"Location": location + (f"?{query}" if query else ""), "Cache-Control": "no-store"}
        return Response(b"", status_code=302, headers=headers)
    known = _known(error, request)
    if isinstance(known, SignInRequired) and not request.wants_json and not request.is_partial:
        path = request.scope["path"]
        query = request.scope["query_string"].decode("latin-1")
        back = path if request.scope["method"] == "GET" else "/"
        if query and back != "/":
            back += f"?{query}"
        location = "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='')}"
        return Response(b"", status_code=303, headers={"Location": location})
    title, hint = _titles().get(known.status, _titles()[500])
    message = str(known.message or title)
    remedy = str(known.remedy or hint)
    headers = {"Cache-Control": "no-store"}
    if isinstance(known, TooMany):
        headers["Retry-After"] = str(known.retry_after)
    if isinstance(error, HTTPException) and error.headers and "allow" in error.headers:
        headers["Allow"] = error.headers["allow"]
    if request.wants_json:
        return _problem(known, title, message, request, headers)
    context: dict[str, Any] = {"title": title, "message": message, "remedy": remedy, "error": known}
    if request.is_partial:
        response = await fragment(request, "parvis/_error.html", status=known.status, **context)
    else:
        base = await base_context(request)
        text = renderer().render("parvis/error.html", {**base, **context, "partial": False})
        response = Response(text.encode(), media_type="text/html", status_code=known.status)
    response.headers.update(headers)
    return response


def _problem(
    known: ParvisError, title: str, message: str, request: Request, headers: dict[str, str]
) -> Response[Any]:
    """Return problem details as RFC 9457 has them."""
    body: dict[str, Any] = {
        "type": f"about:blank#{known.code}",
        "title": title,
        "status": known.status,
        "detail": message,
        "instance": f"urn:request:{request.state_of.request_id}",
    }
    if isinstance(known, Invalid):
        body["errors"] = {name: str(text) for name, text in known.fields.items()}
    return Response(body, status_code=known.status, media_type="application/problem+json", headers=headers)


def _known(error: Exception, request: Request) -> ParvisError:
    if isinstance(error, ParvisError):
        if error.status >= 500:
            log.error("%s %s: %s", request.scope["method"], request.scope["path"], error)
        return error
    if isinstance(error, HTTPException):
        return _of_http(error, request)
    if isinstance(error, sqlite3.OperationalError):
        log.error("database: %s", error)
        return DatabaseUnavailable()
    log.error(
        "request %s %s %s failed",
        request.state_of.request_id,
        request.scope["method"],
        request.scope["path"],
        exc_info=error,
    )
    return ParvisError()


def _of_http(error: HTTPException, request: Request) -> ParvisError:
    if error.status_code == 404 and request.scope["path"] == OFF:
        return NotFound(
            _l("This module is switched off."),
            remedy=_l(
                "Nothing is lost: go back to find what you typed. An administrator can switch it on again."
            ),
        )
    if error.status_code == 404:
        return NotFound()
    if error.status_code == 403:
        return Forbidden()
    if error.status_code == 413:
        return TooLarge()
    known = ParvisError()
    # One class of ours for each status would add nothing: the page is chosen by the number.
    known.status = error.status_code  # type: ignore[misc]
    known.code = "http"  # type: ignore[misc]
    return known


async def handle_error(request: Request, error: Exception) -> Response[Any]:
    """Litestar's exception handler for everything; never raises, so that an error page always comes."""
    try:
        return await answer_error(request, error)
    except Exception:
        log.exception("the error page itself failed")
        number = state_in(request.scope).request_id if STATE in request.scope else ""
        text = f"Parvis could not answer. Request {number}.\n"
        return Response(text, status_code=500, media_type="text/plain; charset=utf-8")
