"""What is plain HTTP: health, Prometheus metrics, and documents as PDF."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from candela_server.kernel.caller import Caller, Scope, current_caller
from candela_server.kernel.errors import CandelaError, NotFound, OverLimit, Unavailable
from candela_server.kernel.ids import new_id
from candela_server.merchant.authenticate import Authenticator
from candela_server.merchant.model import UnknownApiKeyError

RenderPdf = Callable[[Caller, str], Awaitable[bytes]]
"""The PDF of a document of the caller's, by its id."""


def http_app(
    authenticator: Authenticator,
    documents: Mapping[str, RenderPdf],
    is_ready: Callable[[], Awaitable[bool]],
    alerts: Callable[[], Awaitable[bytes]],
    more_routes: Sequence[Route] = (),
) -> Starlette:
    """The HTTP application; gRPC is beside it, not inside it.

    `documents` says by the name in the path who draws them: GET /v1/invoices/{id}/pdf.
    `alerts` are metrics that are read when they are asked for. `more_routes` are what other files of this folder serve.
    """

    async def health(_request: Request) -> Response:
        ready = await is_ready()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest() + await alerts(), media_type=CONTENT_TYPE_LATEST)

    def document(render_pdf: RenderPdf) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                caller = await _caller_of(request, authenticator)
                current_caller.set(caller)
                pdf = await render_pdf(caller, request.path_params["id"])
            except CandelaError as error:
                return error_response(error)
            return Response(pdf, media_type="application/pdf")

        return respond

    routes = [Route("/healthz", health), Route("/metrics", metrics)]
    for name, render_pdf in documents.items():
        routes.append(Route(f"/v1/{name}/{{id}}/pdf", document(render_pdf)))
    return Starlette(routes=[*routes, *more_routes])


async def _caller_of(request: Request, authenticator: Authenticator) -> Caller:
    header = request.headers.get("authorization", "")
    if not header.startswith("Bearer "):
        raise UnknownApiKeyError
    holder = await authenticator.authenticate(header[len("Bearer ") :])
    if Scope.READ not in holder.scopes:
        raise UnknownApiKeyError
    return holder.caller(f"{request.method} {request.url.path}", new_id("req"))


def error_response(error: CandelaError) -> Response:
    """The error as JSON: reason, message and wrong fields."""
    status = 400
    if isinstance(error, UnknownApiKeyError):
        status = 401
    elif isinstance(error, NotFound):
        status = 404
    elif isinstance(error, Unavailable):
        status = 503
    elif isinstance(error, OverLimit):
        status = 429
    body = {
        "reason": error.reason,
        "message": error.message,
        "fields": [
            {"field": violation.field, "description": violation.description}
            for violation in error.violations
        ],
    }
    return JSONResponse({"error": body}, status_code=status)
