"""The dashboard's endpoints: its pages behind the admin credential, its files open to all."""

from importlib import resources
from typing import Final

from cortexd.http.admin.dashboard.assets import AssetDoor
from cortexd.http.admin.dashboard.pages import PAGES, LoginPage, PageDoor, page_path
from cortexd.http.admin.dashboard.sign_in import LOGIN_PATH, SignInGate
from cortexd.http.gate import Gate
from cortexd.http.quart_app import Route

ASSETS_PATH: Final = "/admin/static/<path:name>"


def dashboard_routes(gate: Gate) -> tuple[Route, ...]:
    """What browsers can ask for. `gate` lets operators in."""
    folder = resources.files(__package__)
    pages = folder / "pages"

    def shown(page: str, path: str) -> Route:
        return Route(
            method="GET", path=path, door=PageDoor(pages, page), gate=SignInGate(gate, page)
        )

    return (
        Route(method="GET", path=LOGIN_PATH, door=LoginPage(pages)),
        Route(method="GET", path=ASSETS_PATH, door=AssetDoor(folder / "static")),
        # As people type it; all links in the pages are absolute.
        shown(PAGES[0], "/admin"),
        *(shown(page, page_path(page)) for page in PAGES),
    )
