"""Pages are escaped, and never quietly incomplete."""

import pytest
from jinja2 import UndefinedError

from prompt_ensemble.core.html import render


def test_whatever_a_page_is_given_is_escaped():
    page = render("prompt_ensemble.core", "document.html", title="<b>'bold'</b>")
    assert "<title>&lt;b&gt;&#39;bold&#39;&lt;/b&gt;</title>" in page


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="title"):
        render("prompt_ensemble.core", "document.html")
