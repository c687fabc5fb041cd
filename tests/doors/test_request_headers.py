import pytest

from cortexd.domain.errors import RequestRefused
from cortexd.http.doors.request_headers import check_json, read_request_id, read_timeout_s


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
