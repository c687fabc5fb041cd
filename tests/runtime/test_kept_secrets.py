"""The secrets of a node that was not given them."""

from pathlib import Path

from cortexd.runtime.kept_secrets import load_or_make


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The second start finds the first one's secret; nobody else can read it."""
    path = tmp_path / "deep" / "state" / "admin-token"
    first = load_or_make(path)
    second = load_or_make(path)

    assert first == second
    assert len(first.reveal()) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """A node killed between making the file and writing it does not start open for ever after."""
    path = tmp_path / "admin-token"
    path.touch(mode=0o600)

    made = load_or_make(path)
    kept = load_or_make(path)

    assert made.reveal()
    assert made == kept


def test_two_files_have_two_secrets(tmp_path: Path) -> None:
    """They are random."""
    assert load_or_make(tmp_path / "one") != load_or_make(tmp_path / "two")
