"""Somebody who answers a page in the node's place: what takes many machines, in one test."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import attrs
from playwright.sync_api import Request, Route

from tests.dashboard.visitor import Visit, Visitor


# No slots: Playwright keeps its wrapper of a handler on the object that the handler belongs to.
@attrs.define(eq=False, slots=False)
class StandIn:
    """`documents` are given as they are when they are asked for, `answers` to orders, by path.

    `asked`: for what, with the query; `orders`: what was to be done, with the body. While it
    `holds`, orders are not answered before `let_go`.
    """

    documents: dict[str, Any]
    answers: dict[str, tuple[HTTPStatus, Any]] = attrs.Factory(dict)
    asked: list[str] = attrs.Factory(list)
    orders: list[tuple[str, Any]] = attrs.Factory(list)
    holds: bool = False
    held: list[Route] = attrs.Factory(list)

    def shown(self, visit: Visit, page: str, *, clock: bool = False) -> Visitor:
        """The page, with these answers; what is not known here, the node answers.

        `clock`: whether the page's time is to be the test's.
        """
        visitor = visit()
        if clock:
            visitor.page.clock.install()
        visitor.page.route(lambda url: self._knows(urlsplit(url).path), self._answer)
        visitor.have_session()
        visitor.open(page)
        return visitor

    def let_go(self) -> None:
        """Answer what has been held."""
        held, self.held, self.holds = self.held, [], False
        for route in held:
            self._do(route, route.request)

    def _knows(self, path: str) -> bool:
        return path in self.documents or path in self.answers

    def _answer(self, route: Route, request: Request) -> None:
        url = urlsplit(request.url)
        if request.method == "GET":
            self.asked.append(f"{url.path}?{url.query}" if url.query else url.path)
            route.fulfill(json=self.documents[url.path])
        else:
            assert request.headers["x-csrf-token"]
            self.orders.append((url.path, request.post_data_json))
            if self.holds:
                self.held.append(route)
            else:
                self._do(route, request)

    def _do(self, route: Route, request: Request) -> None:
        status, document = self.answers[urlsplit(request.url).path]
        route.fulfill(status=status, json=document)
