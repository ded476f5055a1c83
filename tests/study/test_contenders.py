"""Who is compared, from the options that name them."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.study.contenders import parse_contenders


def test_runs_of_one_name_are_its_seeds():
    git, blip = parse_contenders(["git=a", "git=b"], ["blip=c.csv"])
    assert [run.source for run in git.runs] == ["a", "b"]
    assert [run.name for run in git.runs] == ["git-1", "git-2"]
    assert (blip.runs[0].name, blip.runs[0].is_table) == ("blip", True)


@pytest.mark.parametrize(
    ("models", "tables"),
    [
        (["a=x"], []),
        ([f"{name}=x" for name in "abcdef"], []),
        (["a=x", "b"], []),
        (["a=x", "b="], []),
        (["a=x", "../b=y"], []),
        (["a=x", "a=x", "b=y"], []),
    ],
)
def test_what_cannot_be_compared_is_one_line(models, tables):
    with pytest.raises(BadConfig) as caught:
        parse_contenders(models, tables)
    assert "\n" not in str(caught.value)
