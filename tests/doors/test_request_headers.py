import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.errors import RequestRefused
from cortexd.http.doors.request_headers import (
    check_json,
    read_request_id,
    read_tenant,
    read_timeout_s,
    read_wishes,
)
from cortexd.pipeline.exchange import CacheWishes


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128])
def test_a_fit_request_id_is_kept(given: str) -> None:
    """An id of up to 128 harmless characters is the client's own."""
    assert read_request_id({"x-request-id": given}, lambda: "new") == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\n", "é", "a/b", "a,b"])
def test_another_request_id_is_replaced(given: str) -> None:
    """Anything else would not be fit for logs and headers, and a new one is made."""
    assert read_request_id({"x-request-id": given}, lambda: "new") == "new"
    assert read_request_id({}, lambda: "new") == "new"


@pytest.mark.parametrize(
    ("given", "seconds"), [("1", 1.0), ("0.5", 0.5), ("86400", 86400.0), ("007", 7.0)]
)
def test_the_time_limit_is_in_seconds(given: str, seconds: float) -> None:
    """A plain decimal number is the client's time limit; without one there is none."""
    assert read_timeout_s({"x-request-timeout": given}) == seconds
    assert read_timeout_s({}) is None


@pytest.mark.parametrize(
    "given",
    ["", "0", "0.0", "-1", "nan", "inf", "1e3", "1_0", "\u0661", "5s", " 5", "86401", "9" * 400],
)
def test_another_time_limit_is_refused(given: str) -> None:
    """What is no number of seconds within a day is named, not guessed."""
    with pytest.raises(RequestRefused) as caught:
        read_timeout_s({"x-request-timeout": given})
    assert (caught.value.status, caught.value.param) == (400, "x-request-timeout")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "Application/JSON; charset=utf-8"},
        {"content-type": "application/json", "content-encoding": "identity"},
    ],
)
def test_json_is_taken(headers: dict[str, str]) -> None:
    """The media type counts, not its parameters or its case."""
    check_json(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/xml"},
        {"content-type": "application/jsonp"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_what_is_not_json_is_refused(headers: dict[str, str]) -> None:
    """B10, B12: another media type, none, or a compressed body is a 415."""
    with pytest.raises(RequestRefused) as caught:
        check_json(headers)
    assert caught.value.status == 415


CURL = {"content-type": "application/x-www-form-urlencoded"}


def test_bare_curl_is_taken_where_it_is_the_custom() -> None:
    """`curl -d` names this type for every body, and Ollama's users write no header."""
    check_json(CURL, also_from_curl=True)
    check_json({}, also_from_curl=True)


@pytest.mark.parametrize(
    "headers",
    [
        {**CURL, "origin": "https://evil.example"},
        {**CURL, "origin": "null"},
        {"content-type": "text/plain"},
        {"origin": "https://evil.example"},
    ],
)
def test_a_page_in_a_browser_is_no_curl(headers: dict[str, str]) -> None:
    """What any page may send without asking first is refused, and browsers name its origin."""
    with pytest.raises(RequestRefused) as caught:
        check_json(headers, also_from_curl=True)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("given", "wishes"),
    [
        ("no-store", CacheWishes(may_read=False, may_store=False)),
        ("no-cache", CacheWishes(may_read=False)),
        ("No-Cache, max-age=0", CacheWishes(may_read=False)),
        ("max-age=0,no-store , no-cache", CacheWishes(may_read=False, may_store=False)),
        ("max-age=0", CacheWishes()),
        ("no-stores, x-no-cache", CacheWishes()),
        ("", CacheWishes()),
    ],
)
def test_what_a_client_wishes_of_the_cache(given: str, wishes: CacheWishes) -> None:
    """`no-cache` is a new answer, `no-store` leaves no trace; other directives say nothing."""
    assert read_wishes({"cache-control": given}) == wishes
    assert read_wishes({}) == CacheWishes()


@pytest.mark.parametrize("given", ["k", "a b~!", "x" * 255])
def test_an_idempotency_key_is_taken_as_it_is(given: str) -> None:
    """Up to 255 printable characters, beside what else the client wishes."""
    headers = {"idempotency-key": given, "cache-control": "no-cache"}
    assert read_wishes(headers) == CacheWishes(may_read=False, idempotency_key=given)


@pytest.mark.parametrize("given", ["", "x" * 256, "a\tb", "é", "a\n"])
def test_another_idempotency_key_is_refused(given: str) -> None:
    """Cut short or cleaned up, it could be that of another request."""
    with pytest.raises(RequestRefused) as caught:
        read_wishes({"idempotency-key": given})
    assert (caught.value.status, caught.value.param) == (400, "idempotency-key")


def test_a_tenant_is_known_by_its_credential_whichever_header_it_is_in() -> None:
    """The same key is the same tenant for the clients of all dialects."""
    tenant = read_tenant({"authorization": "Bearer key-1"})
    assert tenant == read_tenant({"authorization": "bearer  key-1 "})
    assert tenant == read_tenant({"x-api-key": "key-1"})
    assert tenant == read_tenant({"authorization": "Bearer key-1", "x-api-key": "key-2"})
    assert read_tenant({"authorization": "key-1"}) == tenant
    assert read_tenant({}) == read_tenant({"authorization": "", "x-api-key": " "}) == ""


@given(st.text(min_size=1).map(str.strip).filter(bool), st.text(min_size=1))
def test_tenants_are_kept_apart_and_their_credentials_secret(key: str, more: str) -> None:
    """However long a part of their keys is the same, and nothing of a key can be seen."""
    tenant = read_tenant({"x-api-key": key})
    assert len(tenant) == 32
    assert set(tenant) <= set("0123456789abcdef")
    if more.strip():
        assert tenant != read_tenant({"x-api-key": key + "." + more.strip()})
