"""Languages by script and common words."""

import pytest

from prompt_ensemble.data.gathering.language import language_of
from prompt_ensemble.data.gathering.unsafe_words import unsafe_words

TEXTS = {
    "a red fox in the snow": "en",
    "no text, no watermark, do not crop, by greg rutkowski": "en",
    "ein roter Fuchs auf einem Dach mit Schnee": "de",
    "un renard roux dans la neige avec une lanterne": "fr",
    "un zorro rojo en la nieve con una linterna por el bosque": "es",
    "uma raposa vermelha em uma floresta com neve": "pt",
    "una volpe rossa nella neve con il bosco": "it",
    "masterpiece, 1girl, 8k, octane render": "und-Latn",
    "рыжая лиса в снегу": "und-Cyrl",
    "雪の中の赤い狐": "ja",
    "雪中的红狐狸": "zh",
    "눈 속의 붉은 여우": "ko",
    "1234, 8": "und",
    "": "und",
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_tag_says_what_is_sure(text):
    assert language_of(text) == TEXTS[text]


def test_unsafe_words_are_whole_words_each_once():
    assert unsafe_words("Nude, nude study in Essex; a peacock") == ("nude",)
