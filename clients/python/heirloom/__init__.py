"""A thin client of Heirloom's REST API.

The functions of this module ask the server that HEIRLOOM_URL names (http://127.0.0.1:7878 by default), with the key in
HEIRLOOM_KEY if there is one; `Client` asks any other. A model is named `owner/name` (on the hub `hf`) or `hub:owner/name`.
Answers are the server's JSON; errors are `HeirloomError` with the server's sentence.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterator, Optional

__all__ = ["Client", "HeirloomError", "bom", "changes", "lineage", "model", "models", "search", "versions"]


class HeirloomError(Exception):
    """The server refused; `kind` is stable (`unknown-model`, `key-missing`, …), `status` is HTTP's."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


class Client:
    """A server, and who asks it."""

    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, timeout: float = 30.0) -> None:
        self.url = (url or os.environ.get("HEIRLOOM_URL") or "http://127.0.0.1:7878").rstrip("/")
        self.timeout = timeout
        self._key = key or os.environ.get("HEIRLOOM_KEY")

    def model(self, name: str) -> Any:
        """What a model is, what it was made from, and what was made from it."""
        return self.get(_path(name))

    def lineage(self, name: str, depth: Optional[int] = None) -> Any:
        """A model's family: `nodes` and `edges`, each edge with its evidence."""
        return self.get(_path(name) + "/lineage", depth=depth)

    def versions(self, name: str) -> Any:
        """A model's revisions, newest first, each with its inferred version and the reasons."""
        return self.get(_path(name) + "/revisions")["items"]

    def bom(self, name: str, format: str = "cyclonedx") -> Any:
        """A model's bill of materials, as `cyclonedx` or `spdx`."""
        return self.get(_path(name) + "/bom", format=format)

    def search(self, text: str, limit: Optional[int] = None) -> Any:
        """Models whose name holds the text, then those whose name is nearly it."""
        return self.get("/search", q=text, limit=limit)["items"]

    def models(self, **filters: Any) -> Iterator[Any]:
        """All models that match, page after page; filters are those of `GET /api/v1/models`."""
        return self._pages("/models", filters)

    def changes(self, **filters: Any) -> Iterator[Any]:
        """What happened to models, newest first; filters are those of `GET /api/v1/changes`."""
        return self._pages("/changes", filters)

    def identify(self, fingerprint: Any) -> Any:
        """Crawled models that hold the tensors of a fingerprint (`heirloom fingerprint FILE --json`)."""
        return self.request("POST", "/identify", body=fingerprint)["items"]

    def diff(self, a: str, b: str, max_rank: Optional[int] = None, poll: float = 1.0) -> Any:
        """Compares the weights of two revisions element by element, and waits for the result. Takes a key of scope crawl."""
        wanted = {"a": _reference(a), "b": _reference(b)}
        if max_rank is not None:
            wanted["max_rank"] = max_rank
        diff = self.request("POST", "/diffs", body=wanted)
        while diff["status"] in ("queued", "running"):
            time.sleep(poll)
            diff = self.get("/diffs/" + diff["id"])
        return diff

    def get(self, path: str, **query: Any) -> Any:
        """GET of a route below /api/v1."""
        return self.request("GET", path, query)

    def request(self, method: str, path: str, query: Optional[dict] = None, body: Any = None) -> Any:
        """Any request below /api/v1; waits and tries again where the server asks for it."""
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        url = f"{self.url}/api/v1{path}" + ("?" + urllib.parse.urlencode(given) if given else "")
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        for last in (False, False, True):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return json.load(answer) if answer.status != 204 else None
            except urllib.error.HTTPError as error:
                wait = int(error.headers.get("Retry-After") or 0)
                if error.code != 429 or last or not 0 < wait <= 60:
                    raise _problem(error) from None
                time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _pages(self, path: str, filters: dict) -> Iterator[Any]:
        cursor = None
        while True:
            page = self.get(path, **filters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reference(name: str) -> str:
    return name if ":" in name.split("/")[0] else "hf:" + name


def _path(name: str) -> str:
    hub, rest = _reference(name).split(":", 1)
    owner, slash, model = rest.partition("/")
    if not slash or not model:
        raise ValueError(f"{name!r} does not name a model; write owner/name or hub:owner/name")
    return "/models/" + "/".join(urllib.parse.quote(part, safe="") for part in (hub, owner, model))


def _problem(error: urllib.error.HTTPError) -> HeirloomError:
    try:
        problem = json.load(error)
        return HeirloomError(error.code, problem["type"].rsplit(":", 1)[-1], problem["detail"])
    except (ValueError, KeyError):
        return HeirloomError(error.code, "unknown", f"the server answered {error.code} {error.reason}")


def lineage(name: str, depth: Optional[int] = None) -> Any:
    """See `Client.lineage`."""
    return Client().lineage(name, depth)


def model(name: str) -> Any:
    """See `Client.model`."""
    return Client().model(name)


def versions(name: str) -> Any:
    """See `Client.versions`."""
    return Client().versions(name)


def bom(name: str, format: str = "cyclonedx") -> Any:
    """See `Client.bom`."""
    return Client().bom(name, format)


def search(text: str, limit: Optional[int] = None) -> Any:
    """See `Client.search`."""
    return Client().search(text, limit)


def models(**filters: Any) -> Iterator[Any]:
    """See `Client.models`."""
    return Client().models(**filters)


def changes(**filters: Any) -> Iterator[Any]:
    """See `Client.changes`."""
    return Client().changes(**filters)
