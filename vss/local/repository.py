"""Where the broker's jars are fetched from."""

from __future__ import annotations

import base64
import urllib.parse
import urllib.request
from collections.abc import Mapping

from vss.errors import LocalError

MIRROR_VARIABLE = "VSS_MAVEN_MIRROR"


def repository_address(environ: Mapping[str, str]) -> str:
    """The Maven repository that `VSS_MAVEN_MIRROR` names, else the one that the package `jgo` takes by default.

    Asked only when something must be fetched, so that a filled cache needs neither.

    Raises:
        LocalError: There is no mirror and no `jgo`, or the mirror is no address.
    """
    if mirror := environ.get(MIRROR_VARIABLE):
        if urllib.parse.urlsplit(mirror).scheme not in ("http", "https", "file"):
            raise LocalError(
                f"{MIRROR_VARIABLE} is no address to fetch from: {mirror}",
                fix=f"set {MIRROR_VARIABLE} to the http(s):// or file:// address of a Maven repository",
            )
        return mirror.rstrip("/")
    try:
        from jgo.constants import MAVEN_CENTRAL_URL
    except ImportError as error:
        raise LocalError(
            "Kafka has to be fetched, and no repository is known to fetch it from",
            fix=f"set {MIRROR_VARIABLE} to a Maven repository, or run `pip install 'vss-fleet[local]'`",
        ) from error
    return str(MAVEN_CENTRAL_URL).rstrip("/")


def request(url: str) -> urllib.request.Request:
    """A request for the address; a name and password in it go where HTTP wants them."""
    parts = urllib.parse.urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at or parts.scheme == "file":
        return urllib.request.Request(url)  # noqa: S310 - `repository_address` let http(s) and file through alone
    without = parts._replace(netloc=host).geturl()
    token = base64.b64encode(urllib.parse.unquote(user_info).encode()).decode()
    return urllib.request.Request(without, headers={"Authorization": f"Basic {token}"})  # noqa: S310 - as above
