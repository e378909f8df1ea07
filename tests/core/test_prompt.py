"""The prompt grammar: the webui's worked examples, and what holds for any text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.prompt.chunks import COMMA, EMPTY, END, LENGTH, START, chunks
from ohwx_compare.core.prompt.editing import EditedPrompt, edits
from ohwx_compare.core.prompt.emphasis import BREAK, Segment, emphasis
from ohwx_compare.core.prompt.parts import Part, parts, strip_comments, strip_tags
from ohwx_compare.errors import PromptError

prompts = st.lists(
    st.sampled_from([*"()[]:|\\#, ab3", "cat", "0.5", ":4]", ":1.3)", "[a|b]", "[a:b:2]", " AND ", " BREAK ", "\n"])
    | st.text(max_size=4),
    max_size=30,
).map("".join)
words = st.text("abcdef ,", max_size=30)


def letters(text):
    """A tokenizer of one token a character; commas are CLIP's."""
    return [COMMA if c == "," else ord(c) for c in text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("un)balanced]", [("un)balanced]", 1.0)]),
        (r"\(literal\] \\", [("(literal] \\", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("[less] (x:0.5)", [("less", 1 / 1.1), (" ", 1.0), ("x", 0.5)]),
        ("((a:1.5)", [("a", 1.5 * 1.1)]),
        ("(a[b)c]", [("a", 1.1), ("b", 1.1 * (1 / 1.1)), ("c", 1 / 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("a: b", [("a: b", 1.0)]),
        ("", [("", 1.0)]),
        ("a BREAK b", [("a", 1.0), BREAK, ("b", 1.0)]),
        ("(a BREAK b)", [("a", 1.1), ("BREAK", -1.1), ("b", 1.1)]),  # within weights it is a word, in the webui too
    ],
)
def test_emphasis(text, expected):
    assert list(emphasis(text)) == [Segment(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3 ]", [(3, "a "), (10, "a b")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("[moon::8][:sun:0.25]", [(2, "moon"), (8, "moonsun"), (10, "sun")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:-3]", [(10, "b")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:1e999]", [(10, "a")]),
        ("[a:b:1.5e-1]", [(1, "a"), (10, "b")]),
        ("a [unbalanced", [(10, "a [unbalanced")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a:b:c:3]", [(10, "[a:b:c:3]")]),
        ("[a:(b:0.5]", [(10, "[a:(b:0.5]")]),
        ("[[a:b:3]", [(3, "[a"), (10, "[b")]),
        (r"[a\:b:3]", [(3, ""), (10, r"a\:b")]),
        (r"\[a:b:3]", [(10, r"\[a:b:3]")]),
        ("a | [b:c:3]", [(10, "a | [b:c:3]")]),  # no turns without brackets, and then no schedule at all
        ("[a:b:3] \\", [(10, "[a:b:3] \\")]),
        ("(a|b)", [(10, "(a|b)")]),
        ("[a|b:3]", [(10, "[a|b:3]")]),
    ],
)
def test_schedule(text, expected):
    assert list(edits(text, 10)) == [EditedPrompt(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("text", "steps", "after", "expected"),
    [
        ("a [b:.5] c", 10, None, [(5, "a  c"), (10, "a b c")]),
        ("[a:b:1.0]", 10, None, [(1, "a"), (10, "b")]),
        ("[a:b:5.5]", 10, None, [(5, "a"), (10, "b")]),
        ("[a:b:0.25]", 8, 10, [(2, "a"), (10, "b")]),
        ("[a:b:12]", 8, 10, [(10, "a")]),
        ("[a:b:1.5]", 8, 10, [(1, "a"), (10, "b")]),
        ("[a|b]", 5, 3, [(1, "a"), (2, "b"), (3, "a")]),
        ("[a::3]", 6, 10, [(3, "a"), (10, "")]),
    ],
)
def test_the_timelines_of_older_webuis(text, steps, after, expected):
    """What `get_learned_conditioning_prompt_schedules(..., use_old_scheduling=True)` answered at 82a973c."""
    assert list(edits(text, steps, after, is_old=True)) == [EditedPrompt(*pair) for pair in expected]


def test_turns_change_at_every_step():
    assert [s.text for s in edits("[fe|]male", 4)] == ["female", "male", "female", "male"]
    assert [s.text for s in edits("[a|b|]", 4)] == ["a", "b", "", "a"]
    assert [s.text for s in edits("[[a|b]::2]c", 4)] == ["ac", "bc", "c", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a man :1.2 AND a wolf :0.7", [("a man", 1.2), (" a wolf", 0.7)]),
        ("a AND b : -1 ", [("a", 1.0), (" b", -1.0)]),
        ("SAND ANDY", [("SAND ANDY", 1.0)]),
        ("(a:1.2) ", [("(a:1.2)", 1.0)]),
        ("a:1:2", [("a:1", 2.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_parts(text, expected):
    assert list(parts(text)) == [Part(*pair) for pair in expected]


def test_comments_go_to_the_end_of_their_line():
    assert strip_comments("cat # not dog\nbird") == "cat \nbird"
    assert strip_comments("# head\ncat\n# line\nbird #") == "\ncat\nbird \n"
    assert strip_comments("cat") == "cat"


def test_tags_are_taken_out_and_named():
    assert strip_tags("a <lora:x:1>b <3") == ("a b <3", ("<lora:x:1>",))


@given(prompts, st.integers(1, 30))
def test_any_text_parses(text, steps):
    for part in parts(strip_comments(text)):
        stages = edits(part.text, steps)
        untils = [stage.until for stage in stages]
        assert untils == sorted(set(untils))
        assert untils[0] >= 1
        assert untils[-1] == steps
        for stage in stages:
            assert emphasis(stage.text)
            assert chunks(stage.text, letters)


@given(st.lists(st.tuples(st.text("abc ", min_size=1), st.sampled_from([0.5, 0.75, 1.25, 2.0])), min_size=1))
def test_weights_come_back_as_written(pairs):
    text = "".join(f"({word}:{weight})" for word, weight in pairs)
    letter_weights = [(c, s.weight) for s in emphasis(text) for c in s.text]
    assert letter_weights == [(c, weight) for word, weight in pairs for c in word]


@given(st.text())
def test_escaped_text_comes_back_as_it_was(text):
    escaped = re.sub(r"([()\[\]\\])", r"\\\1", text)
    if "BREAK" not in text:
        assert emphasis(escaped) == (Segment(text, 1.0),)


@given(words, words, words, words, st.integers(-3, 30), st.integers(1, 20))
def test_the_switch_comes_after_its_step(head, a, b, tail, when, steps):
    for stage in edits(f"{head}[{a}:{b}:{when}]{tail}", steps):
        assert stage.text == head + (a if stage.until <= when else b) + tail
        assert stage.until in (when, steps)


@given(prompts)
def test_every_chunk_is_full_and_no_token_is_lost(text):
    result = chunks(text, letters)
    for chunk in result:
        assert len(chunk.tokens) == len(chunk.weights) == 77
        assert chunk.tokens[0] == START
        assert chunk.tokens[-1] == END
        assert chunk.weights[0] == chunk.weights[-1] == 1.0
    pairs = [p for chunk in result for p in zip(chunk.tokens, chunk.weights, strict=True) if p[0] not in (START, END)]
    assert pairs == [(t, s.weight) for s in emphasis(text) if s != BREAK for t in letters(s.text)]


def lengths(text):
    return [sum(t not in (START, END) for t in chunk.tokens) for chunk in chunks(text, letters)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0]),
        ("a" * 75, [75]),
        ("a" * 76, [75, 1]),
        ("a" * 60 + "," + "b" * 15, [61, 15]),  # the phrase after the comma moves as a whole
        ("a" * 54 + "," + "b" * 21, [75, 1]),  # 21 tokens back: too far
        ("a" * 55 + "," + "b" * 20, [56, 20]),
        ("a" * 75 + ",b", [75, 2]),  # a comma itself moves nothing
        ("a BREAK b", [1, 1]),
        ("a BREAK", [1]),
        ("BREAK BREAK a", [0, 0, 1]),
        ("a" * 75 + " BREAK b", [75, 1]),
    ],
)
def test_chunks_break_at_commas_and_breaks(text, expected):
    assert lengths(text) == expected


def test_an_empty_prompt_is_one_empty_chunk():
    assert chunks("", letters) == (EMPTY,)
    assert EMPTY.tokens == (START, *[END] * (LENGTH + 1))


@pytest.mark.parametrize("text", ["[" * 50_000 + "a|b" + "]" * 50_000, "([" * 50_000, "[a:" * 2_000 + ":3]" * 2_000])
def test_absurd_depth_is_refused_and_never_a_crash(text):
    assert edits(text, 2)[-1].until == 2
    with pytest.raises(PromptError, match="100 brackets in one another"):
        emphasis(text)
    assert emphasis("(" * 100 + "a")[0].weight == pytest.approx(1.1**100)


def test_long_prompts_stay_linear():
    assert strip_tags("<lora:" * 20_000)[1] == ()
    for text in (
        "(a" * 100 + "a)" * 50_000,
        " " * 100_000 + "x",
        ":" * 100_000,
        "(a:" + "1" * 100_000,
        "\n#" * 50_000,
        "a:" + " " * 100_000 + "x",
    ):
        for part in parts(strip_comments(text)):
            assert edits(part.text, 5)
            assert emphasis(part.text)
