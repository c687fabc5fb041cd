import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.wire.gemini.call_ids import make_call_id, split_call_id
from cortexd.wire.parsed_tools import CALL_ID_CHARACTERS_MAX

ANSWER_ID = "0123456789abcdef0123456789abcdef"


@given(st.binary(min_size=1, max_size=200), st.integers(0, 127))
def test_a_seal_comes_back_as_it_went(seal: bytes, index: int) -> None:
    """Through an id of characters that every dialect takes."""
    signature = base64.b64encode(seal).decode()
    call_id = make_call_id(ANSWER_ID, index, signature)
    assert call_id.replace("_", "").replace("-", "").isalnum()
    assert split_call_id(call_id) == (f"call_0123456789ab_{index}", signature)


@pytest.mark.parametrize("signature", [None, "", "no base64!", "A" * CALL_ID_CHARACTERS_MAX])
def test_a_call_without_a_seal_that_fits(signature: str | None) -> None:
    """Its id is bare."""
    call_id = make_call_id(ANSWER_ID, 1, signature)
    assert split_call_id(call_id) == (call_id, None) == ("call_0123456789ab_1", None)


def test_the_longest_seal() -> None:
    """An id is as long as a client may send it back, and no longer."""
    room = CALL_ID_CHARACTERS_MAX - len("call_0123456789ab_0_")
    assert split_call_id(make_call_id(ANSWER_ID, 0, "A" * room))[1] is not None
    assert split_call_id(make_call_id(ANSWER_ID, 0, "A" * (room + 1)))[1] is None


@pytest.mark.parametrize(
    "call_id",
    ["call_abc", "toolu_01A_2_x", "call_3_1", "call_abc_1_", "call_abc_x_y", "", "call_a_1_é"],
)
def test_foreign_ids_have_no_seal(call_id: str) -> None:
    """Whatever other workers call their calls stays as it is."""
    assert split_call_id(call_id) == (call_id, None)
