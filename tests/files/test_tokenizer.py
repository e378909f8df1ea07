"""CLIP's tokenizer: worked examples, byte pair merging against its definition, speed on long prompts."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.prompt.chunks import COMMA, END, START
from ohwx_compare.files.tokenizer import BytePairs, tokenizer_g, tokenizer_l

both = pytest.mark.parametrize("tokenizer", [tokenizer_l(), tokenizer_g()], ids="LG")
TOYS = ("a b", "ab c</w>", "b a", "a a", "aa aa", "b c</w>")


@both
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A  Photo\n of a CAT ", [320, 1125, 539, 320, 2368]),
        (",", [COMMA]),
        ("hello world!", [3306, 1002, 256]),
        ("it’s", [585, 568]),  # the curly apostrophe is mended first
        ("naïve", [1097, 35689, 563]),
    ],
)
def test_worked_examples(tokenizer, text, tokens):
    assert tokenizer(text) == tokens


def test_special_tokens_are_spelt_differently():
    assert (
        tokenizer_l()("<|startoftext|> <|EndOfText|>") == tokenizer_g()("<start_of_text> <END_OF_TEXT>") == [START, END]
    )
    assert END not in tokenizer_l()("<end_of_text>") + tokenizer_g()("<|endoftext|>")


def test_only_biggs_resolves_entities_next_to_a_tag():
    assert tokenizer_g()("<b> &amp;lt;") == tokenizer_g()("<b> <")
    assert tokenizer_l()("<b> &amp;lt;") != tokenizer_l()("<b> <")


@both
@given(st.text())
def test_any_text_gives_known_tokens(tokenizer, text):
    tokens = tokenizer(text)
    assert all(0 <= token <= END for token in tokens)
    assert tokenizer(text.replace(" ", "  ")) == tokens


def by_definition(symbols):
    """Algorithm 1 of Sennrich et al., word for word: the best pair everywhere, then again."""
    ranks = {tuple(merge.split()): rank for rank, merge in enumerate(TOYS)}
    while pairs := [pair for pair in pairwise(symbols) if pair in ranks]:
        best, out, i = min(pairs, key=ranks.get), [], 0
        while i < len(symbols):
            whole = tuple(symbols[i : i + 2]) == best
            out.append("".join(best) if whole else symbols[i])
            i += 2 if whole else 1
        symbols = out
    return symbols


@given(st.text("abc", min_size=1, max_size=40))
def test_merging_is_byte_pair_encoding(word):
    assert BytePairs(TOYS)._merge([*word[:-1], word[-1] + "</w>"]) == by_definition([*word[:-1], word[-1] + "</w>"])


@both
@pytest.mark.parametrize("text", ["ohwxman" * 14_000, "ohwx man, " * 10_000, "a" * 100_000, " " * 100_000])
def test_a_hundred_thousand_characters_are_quick(tokenizer, text):
    start = time.process_time()
    tokenizer(text)
    assert time.process_time() - start < 10  # one to two seconds; quadratic merging would take hours
