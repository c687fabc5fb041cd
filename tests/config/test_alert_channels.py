"""`[alerts]` and its `[[alerts.channels]]`."""

import json
from collections.abc import Callable

import pytest

from cortexd.config.masked import masked
from cortexd.config.problems import Problem
from cortexd.config.schema import Config
from cortexd.domain.alert import Severity
from cortexd.domain.alert_channel import ChannelSettings, ChannelType, MailTls
from cortexd.domain.secret import Secret

Load = Callable[..., Config]
Problems = Callable[..., tuple[Problem, ...]]

URL = "https://hooks.example.org/services/T0/B0/cAnArY"
ENVIRON = {"HOOK": URL, "PASSWORD": "cAnArY"}

WEBHOOK = '[[alerts.channels]]\ntype = "webhook"\nurl = "env:HOOK"\n'
EMAIL = """[[alerts.channels]]
type = "email"
host = "mail.example.org"
sender = "cortexd@example.org"
to = ["ops@example.org"]
"""


def test_without_any_channel_there_is_the_log(load_text: Load) -> None:
    """Also with a section that says nothing of channels; an empty list is none at all."""
    log = (ChannelSettings(name="log-0", type=ChannelType.LOG),)
    assert load_text("").alerts.channels == log
    assert load_text("[alerts]\nenabled = false").alerts.channels == log
    assert load_text("[alerts]\nchannels = []").alerts.channels == ()


def test_channels_of_each_type(load_text: Load) -> None:
    """Named by type and place, unless they have a name; with defaults of their own."""
    more = (
        f'{EMAIL}name = "mail"\nmin_severity = "critical"\nport = 2525\ntls = "tls"\n'
        'username = "cortexd"\npassword = "env:PASSWORD"\n'
    )
    text = f'{WEBHOOK}[[alerts.channels]]\ntype = "log"\nmin_severity = "info"\n{more}'
    assert load_text(text, ENVIRON).alerts.channels == (
        ChannelSettings(name="webhook-0", type=ChannelType.WEBHOOK, url=Secret(URL)),
        ChannelSettings(name="log-1", type=ChannelType.LOG, min_severity=Severity.INFO),
        ChannelSettings(
            name="mail",
            type=ChannelType.EMAIL,
            min_severity=Severity.CRITICAL,
            host="mail.example.org",
            port=2525,
            tls=MailTls.TLS,
            username="cortexd",
            password=Secret("cAnArY"),
            sender="cortexd@example.org",
            to=("ops@example.org",),
        ),
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("[alerts]\ndead_letter_max = 1", 2, "alerts.dead_letter_max", '"dead_letters_max"?'),
        ("[alerts]\nerror_rate_max = 1.5", 2, "alerts.error_rate_max", "at most 1"),
        ("[alerts]\ncooldown_seconds = 0", 2, "alerts.cooldown_seconds", "at least 1"),
        ('[alerts]\nchannels = "log"', 2, "alerts.channels", "[[alerts.channels]]"),
        ("[alerts.channels]\ntype = 'log'", 1, "alerts.channels", "[[alerts.channels]]"),
        ("alerts = 1", 1, "alerts", "must be a table: [alerts]"),
        ("[[alerts.channels]]\ntype = 'pager'", 2, "alerts.channels[0].type", '"webhook"'),
        ("[[alerts.channels]]\ntype = ['log']", 2, "alerts.channels[0].type", '"log"'),
        ("[[alerts.channels]]\nname = 'x'", 1, "alerts.channels[0].type", "is missing"),
        ("[[alerts.channels]]\ntype = 'webhook'", 1, "alerts.channels[0].url", "is missing"),
        (f"{WEBHOOK}ulr = 'x'", 4, "alerts.channels[0].ulr", 'did you mean "url"?'),
        (
            f"{WEBHOOK}to = ['a@b']",
            4,
            "alerts.channels[0].to",
            'only for a channel of type "email"',
        ),
        (f"{WEBHOOK}name = 'a b'", 4, "alerts.channels[0].name", "letters, digits"),
        (f"{EMAIL}url = 'env:HOOK'", 6, "alerts.channels[0].url", 'type "webhook"'),
        (f"{EMAIL}port = 0", 6, "alerts.channels[0].port", "at least 1"),
        (f"{EMAIL}username = 'u'", 1, "alerts.channels[0].password", "is missing"),
        (f"{EMAIL}password = 'env:PASSWORD'", 1, "alerts.channels[0].username", "is missing"),
        (
            f"{EMAIL}username = 'u'\npassword = 'env:PASSWORD'\ntls = 'off'",
            8,
            "alerts.channels[0].tls",
            "beyond this machine",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    problems_of: Problems, text: str, line: int, key: str, words: str
) -> None:
    """One problem for one mistake, with what would be right."""
    (problem,) = problems_of(text, ENVIRON)
    assert (problem.line, problem.key) == (line, key)
    assert words in problem.text


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ('"mail.example.org"', '"mail.example.org:25"', "host", "without a port"),
        ('"mail.example.org"', '""', "host", "is missing"),
        ('"cortexd@example.org"', '"cortexd"', "sender", "an address like"),
        ('["ops@example.org"]', '["ops@example.org", "x\\r\\nBcc: y@z"]', "to[1]", "an address"),
        ('["ops@example.org"]', "[]", "to", "is missing"),
        ('["ops@example.org"]', '"ops@example.org"', "to", "in brackets"),
    ],
)
def test_addresses_of_mail(problems_of: Problems, old: str, new: str, key: str, words: str) -> None:
    """They go into headers and commands, so nothing else may be in them."""
    (problem,) = problems_of(EMAIL.replace(old, new))
    assert problem.key == f"alerts.channels[0].{key}"
    assert words in problem.text


def test_a_password_may_go_unencrypted_to_this_machine(load_text: Load) -> None:
    """Where nobody is in between."""
    text = EMAIL.replace("mail.example.org", "localhost")
    text += "username = 'u'\npassword = 'env:PASSWORD'\ntls = 'off'"
    (channel,) = load_text(text, ENVIRON).alerts.channels
    assert channel.tls is MailTls.OFF


def test_names_are_taken_once(problems_of: Problems) -> None:
    """Those that nobody has given as well."""
    named = '[[alerts.channels]]\ntype = "log"\nname = "log-1"\n'
    (problem,) = problems_of(named + '[[alerts.channels]]\ntype = "log"\n')
    assert problem.key == "alerts.channels[1].name"
    assert "taken by alerts.channels[0];" in problem.text


def test_all_problems_are_told_at_once(problems_of: Problems) -> None:
    """Those of several channels, and of the section."""
    text = "[alerts]\nrestarts_max = 0\n[[alerts.channels]]\ntype = 'webhook'\n" + EMAIL.replace(
        "[[alerts.channels]]", "[[alerts.channels]]\nport = 'x'"
    )
    assert [problem.key for problem in problems_of(text)] == [
        "alerts.restarts_max",
        "alerts.channels[0].url",
        "alerts.channels[1].port",
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f'"{URL}"', "does not belong into this file"),
        ('"env:NONE"', "NONE is not set"),
        ('"env:NO_URL"', "must lead to an address like"),
        ('"env:NO_HOST"', "must lead to an address like"),
        ('"env:OTHER_SCHEME"', "must lead to an address like"),
        ('"env:BAD_PORT"', "must lead to an address like"),
    ],
)
def test_the_address_of_a_webhook_is_a_secret(problems_of: Problems, url: str, words: str) -> None:
    """It is behind a reference, and no problem shows it."""
    environ = {
        "NO_URL": "cAnArY",
        "NO_HOST": "https:///cAnArY",
        "OTHER_SCHEME": "ftp://example.org/cAnArY",
        "BAD_PORT": "http://example.org:99999/cAnArY",
    }
    (problem,) = problems_of(f'[[alerts.channels]]\ntype = "webhook"\nurl = {url}', environ)
    assert problem.key == "alerts.channels[0].url"
    assert words in problem.text
    assert "cAnArY" not in str(problem)


def test_no_document_shows_a_secret(load_text: Load) -> None:
    """Neither the masked configuration nor what is printed of the settings."""
    mail = f"{EMAIL}username = 'u'\npassword = 'env:PASSWORD'\n"
    config = load_text(WEBHOOK + mail, ENVIRON)
    shown = json.dumps(masked(config, config.workers)) + repr(config)
    assert "cAnArY" not in shown
    assert '"url": "***"' in shown


def test_a_variable_sets_the_key_of_a_channel(load_text: Load, problems_of: Problems) -> None:
    """By its place; what is wrong then is told with the variable's name."""
    environ = ENVIRON | {"CORTEXD__ALERTS__CHANNELS__0__MIN_SEVERITY": "critical"}
    assert load_text(WEBHOOK, environ).alerts.channels[0].min_severity is Severity.CRITICAL
    environ["CORTEXD__ALERTS__CHANNELS__0__MIN_SEVERITY"] = "dire"
    (problem,) = problems_of(WEBHOOK, environ)
    assert problem.source == "CORTEXD__ALERTS__CHANNELS__0__MIN_SEVERITY"
