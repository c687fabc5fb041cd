"""What people read."""

from typing import Any

import pytest

from cortexd.domain.alert import Occasion, Severity
from cortexd.observability.notifiers.mail import Envelope, mail
from cortexd.observability.notifiers.webhook import slack_document
from cortexd.observability.notifiers.wording import duration, headline
from tests.fakes.alerts import NOTICE, digest, notice


def test_the_headline_says_where_what_and_how_bad() -> None:
    """And how much more there is in the message."""
    one = headline(digest(NOTICE), "node-1")
    over = notice(occasion=Occasion.RESOLVED)
    assert one == "cortexd node-1: warning: breaker_open (groq)"
    assert headline(digest(NOTICE, over, over), "node-1") == f"{one} and 2 more"
    assert headline(digest(over), "node-1") == "cortexd node-1: resolved: breaker_open (groq)"


@pytest.mark.parametrize(
    ("changes", "age_s", "expected"),
    [
        ({}, 0.0, "worker groq keeps failing: see to its server"),
        (
            {"occasion": Occasion.ESCALATED, "at": 200.0},
            0.0,
            "worse: worker groq keeps failing: see to its server (began 3 min before)",
        ),
        (
            {"occasion": Occasion.REPEATED, "at": 7200.0},
            0.0,
            "still: worker groq keeps failing: see to its server (began 2 h before)",
        ),
        (
            {"occasion": Occasion.RESOLVED, "at": 30.0},
            90.0,
            f"resolved: {NOTICE.message} (began 30 s before; noticed 2 min ago, told late)",
        ),
    ],
)
def test_each_occasion_has_its_words(changes: dict[str, Any], age_s: float, expected: str) -> None:
    """What was told late says so."""
    told = digest(notice(**changes), ages_s=[age_s])
    (attachment,) = slack_document(told, "node-1")["attachments"]
    assert attachment["text"] == expected
    body = mail(told, Envelope(sender="a@b", to=("c@d",)), "node-1").get_content()
    assert body == f"{expected}\n"


def test_slack_gets_a_text_and_an_attachment_for_each_notice() -> None:
    """In the colours of their severities; what is over is green."""
    notices = [
        NOTICE,
        notice(severity=Severity.CRITICAL),
        notice(severity=Severity.CRITICAL, occasion=Occasion.RESOLVED),
        notice(severity=Severity.INFO),
    ]
    document = slack_document(digest(*notices), "node-1")
    assert document.keys() == {"text", "attachments"}
    assert [each["color"] for each in document["attachments"]] == [
        "warning",
        "danger",
        "good",
        "#439fe0",
    ]
    assert document["attachments"][0]["title"] == "warning: breaker_open (groq)"
    assert document["attachments"][0]["footer"] == "breaker_open:groq"


def test_no_name_is_a_mention_or_a_link() -> None:
    """Slack takes `<!channel>` for everybody; its three characters are escaped."""
    nasty = notice(target="<!channel>&", message="<https://x|y> & co: do")
    told = str(slack_document(digest(nasty), "<!here>"))
    assert "<" not in told
    assert ">" not in told
    assert "&lt;!channel&gt;&amp;" in told


def test_a_mail_has_the_headers_of_one() -> None:
    """A name with a line break in it cannot add any."""
    message = mail(digest(NOTICE), Envelope(sender="c@x.org", to=("o@x.org", "p@x.org")), "n-1")
    assert message["Subject"] == "cortexd n-1: warning: breaker_open (groq)"
    assert (message["From"], message["To"]) == ("c@x.org", "o@x.org, p@x.org")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert message["Message-ID"].endswith("@cortexd.invalid>")
    node = "n\r\nBcc: everybody@x.org"
    bad = mail(digest(NOTICE), Envelope(sender="c@x.org", to=("o@x.org",)), node)
    assert bad["Bcc"] is None
    assert "n Bcc: everybody@x.org" in bad["Subject"]


@pytest.mark.parametrize(("lost", "words"), [(1, "1 notice before these was"), (7, "7 notices")])
def test_what_was_lost_is_told(lost: int, words: str) -> None:
    """With where to find it."""
    told = digest(NOTICE, lost=lost)
    (_, about) = slack_document(told, "n")["attachments"]
    body = mail(told, Envelope(sender="a@b", to=("c@d",)), "n").get_content()
    for text in (about["text"], body):
        assert words in text
        assert "cortexctl alerts list" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1.0, "0 s"), (0.4, "0 s"), (59.0, "59 s"), (60.0, "1 min"), (7200.0, "2 h"), (2e5, "2 d")],
)
def test_durations(seconds: float, words: str) -> None:
    """One unit will do."""
    assert duration(seconds) == words
