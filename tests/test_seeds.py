import hypothesis.strategies as st
from hypothesis import example, given

from vlaudit.seeds import digest, generator

parts = st.lists(st.one_of(st.text(), st.integers(), st.binary()), max_size=4)


@example([3], [b"3"])
@given(parts, parts)
def test_different_parts_have_different_digests(one, other):
    same = [type(a) is type(b) and a == b for a, b in zip(one, other, strict=False)]
    assert (digest(*one) == digest(*other)) == (len(one) == len(other) and all(same))


def test_a_digest_is_the_same_on_every_machine():
    assert digest("mirror", 3, b"\x00") == "e90899f6473624ee6eff1a186d4c6c3c"


@given(st.integers(0, 2**32), st.text())
def test_a_generator_depends_on_the_content_of_the_request(seed, what):
    assert generator(seed, what).random() == generator(seed, what).random()
    assert generator(seed, what).random() != generator(seed + 1, what).random()
