"""Which candidates can do what a request needs, and what is said when none can."""

import pytest

from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.policy.capabilities import able
from cortexd.policy.routing import Candidate

A, B, C = (Candidate(WorkerName(name), "m") for name in "abc")
FEATURES = {
    A.worker: frozenset({Feature.TOOLS}),
    B.worker: frozenset({Feature.IMAGES}),
    C.worker: frozenset({Feature.TOOLS, Feature.SEED}),
}
TIERS = ((A, B), (C,))


def test_who_is_able_stays_in_its_tier() -> None:
    """An empty tier is left out; without needs, everybody is able."""
    assert able({}, TIERS, FEATURES) == TIERS
    assert able({Feature.TOOLS: "tools"}, TIERS, FEATURES) == ((A,), (C,))
    needs = {Feature.TOOLS: "tools", Feature.SEED: "seed"}
    assert able(needs, TIERS, FEATURES) == ((C,),)


def test_without_candidates_there_is_nobody_to_blame() -> None:
    """That no worker is there is another error than that none is able."""
    assert able({Feature.TOOLS: "tools"}, (), FEATURES) == ()


@pytest.mark.parametrize(
    ("needs", "param", "words"),
    [
        ({Feature.LOGPROBS: "logprobs"}, "logprobs", "supports logprobs; leave out logprobs"),
        (
            {Feature.TOOLS: "tools", Feature.TOP_K: "options.top_k"},
            "options.top_k",
            "supports top_k; leave out options.top_k",
        ),
        (
            {Feature.TOOLS: "tools", Feature.IMAGES: "messages[0].content[1]"},
            "tools",
            "tools together with images; leave out tools or messages[0].content[1]",
        ),
    ],
)
def test_the_field_nobody_serves_is_named(
    needs: dict[Feature, str], param: str, words: str
) -> None:
    """The one that nobody has, else the combination that nobody has."""
    with pytest.raises(RequestRefused, match="supports") as caught:
        able(needs, TIERS, FEATURES)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")
    assert caught.value.status == 400
    assert words in caught.value.message
