"""The admin token of a node that was not given one."""

from pathlib import Path

from cortexd.runtime.admin_token import load_or_make


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The second start finds the first one's token; nobody else can read it."""
    first, path = load_or_make(tmp_path / "deep" / "state")
    second, _ = load_or_make(tmp_path / "deep" / "state")

    assert first == second
    assert len(first.reveal()) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """A node killed between making the file and writing it does not start open for ever after."""
    (tmp_path / "admin-token").touch(mode=0o600)

    made, _ = load_or_make(tmp_path)
    kept, _ = load_or_make(tmp_path)

    assert made.reveal()
    assert made == kept


def test_two_nodes_have_two_tokens(tmp_path: Path) -> None:
    """It is random."""
    one, _ = load_or_make(tmp_path / "one")
    two, _ = load_or_make(tmp_path / "two")

    assert one != two
