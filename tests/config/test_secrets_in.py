"""All secrets of a configuration are found."""

from collections.abc import Callable

from cortexd.config.schema import Config
from cortexd.config.secrets_in import secrets_in

FILE = """
allow_inline_secrets = true
[admin]
token = "one"
[data]
key_pepper = "two"
[[workers]]
name = "g"
type = "groq"
api_keys = ["three", "four"]
[[alerts.channels]]
type = "webhook"
url = "https://hooks.example/five"
[[alerts.channels]]
type = "email"
host = "mail.example"
sender = "a@mail.example"
to = ["b@mail.example"]
username = "u"
password = "six"
[[keys]]
id = "abcdefgh"
hmac = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def test_wherever_they_are(load_text: Callable[..., Config]) -> None:
    """In sections, in lists of them, and in lists in these."""
    found = {secret.reveal() for secret in secrets_in(load_text(FILE))}
    assert found == {"one", "two", "three", "four", "https://hooks.example/five", "six", "0" * 64}
