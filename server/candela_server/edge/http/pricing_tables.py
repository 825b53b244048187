"""The public read of a pricing table, for pages in any browser (PUB-1).

    GET /v1/public/pricing-tables/{slug}      X-Candela-Key: pk_…

The answer is the contract's PublicPricingTable as JSON with the names in camelCase. Any page may read it: a
publishable key is public. Browsers and caches may keep an answer for some seconds, one per key, and ask again with
its ETag. A crowd is shown a copy of a fraction of a second; asking for tables that do not exist, again and again,
is answered 429.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable

from candela.catalog.v1 import pricing_table_pb2
from google.protobuf.json_format import MessageToDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from candela_server.kernel.caller import Caller, current_caller
from candela_server.kernel.errors import CandelaError
from candela_server.kernel.ids import new_id
from candela_server.merchant.authenticate import Authenticator
from candela_server.merchant.model import UnknownApiKeyError

from .app import error_response

ShowPricingTable = Callable[[str, str], Awaitable[pricing_table_pb2.PublicPricingTable]]
"""The public table of a merchant, by its slug."""

PATH = "/v1/public/pricing-tables/{slug}"
KEY_HEADERS = ("x-candela-key", "x-lumen-key")

# How long a changed price may go unseen by visitors; the page's own load is longer than that.
_FRESH_S = 10
_STALE_S = 60
_PREFLIGHT_S = 86_400
_OPEN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
_PREFLIGHT = {
    **_OPEN,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "X-Candela-Key, X-Lumen-Key, Authorization, If-None-Match",
    "Access-Control-Max-Age": str(_PREFLIGHT_S),
}
_KEPT = {
    **_OPEN,
    "Cache-Control": f"public, max-age={_FRESH_S}, stale-while-revalidate={_STALE_S}",
    # The key says whose table it is; without this a shared cache would mix merchants up.
    "Vary": "X-Candela-Key, X-Lumen-Key, Authorization",
}


def pricing_table_routes(authenticator: Authenticator, show: ShowPricingTable) -> list[Route]:
    """The one route, which also answers what browsers ask before they send a key."""

    async def pricing_table(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        try:
            caller = await _caller_of(request, authenticator)
            current_caller.set(caller)
            table = await show(caller.merchant_id, request.path_params["slug"])
        except CandelaError as error:
            refused = error_response(error)
            refused.headers.update({**_OPEN, "Cache-Control": "no-store"})
            return refused
        return _answer(request, table)

    return [Route(PATH, pricing_table, methods=["GET", "OPTIONS"])]


def _answer(request: Request, table: pricing_table_pb2.PublicPricingTable) -> Response:
    shown = MessageToDict(table, always_print_fields_with_no_presence=True)
    body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_KEPT, "ETag": etag}
    if _is_known(etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether the asker has this answer; compared weakly (RFC 9110 §13.1.2)."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in known or known == ["*"]


async def _caller_of(request: Request, authenticator: Authenticator) -> Caller:
    """Who asks: exactly one key, of any kind, since a secret key may do all that a publishable one may."""
    keys = [key for name in KEY_HEADERS for key in request.headers.getlist(name)]
    keys += [
        value.removeprefix("Bearer ")
        for value in request.headers.getlist("authorization")
        if value.startswith("Bearer ")
    ]
    if len(keys) != 1:
        raise UnknownApiKeyError
    holder = await authenticator.authenticate(keys[0])
    return holder.caller(f"{request.method} {PATH}", new_id("req"))
