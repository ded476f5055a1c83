"""Kaggle's rules, each by something that breaks it; and the repository's own kernels keep them."""

import json
from pathlib import Path

import pytest

from prompt_ensemble.core.errors import BadMetadata
from prompt_ensemble.kaggle.metadata import (
    DATASET_FILE,
    KERNEL_FILE,
    dataset_faults,
    kernel_faults,
    read_metadata,
    slugified,
)
from prompt_ensemble.kaggle.rendering import with_username

KERNELS = Path(__file__).parents[2] / "kernels"
DATASET = {"title": "Prompt ensemble", "id": "me/prompt-ensemble", "licenses": [{"name": "other"}]}


@pytest.fixture
def kernel():
    return with_username(read_metadata(KERNELS / "submission" / KERNEL_FILE), "me")


@pytest.mark.parametrize("folder", sorted(KERNELS.glob("*/")), ids=lambda folder: folder.name)
def test_our_kernels_keep_the_rules_and_are_short(folder):
    metadata = with_username(read_metadata(folder / KERNEL_FILE), "me")
    assert kernel_faults(metadata, folder) == []
    assert len((folder / metadata["code_file"]).read_text().splitlines()) <= 60


def test_the_submission_has_no_internet_and_a_gpu_that_works(kernel):
    assert kernel["enable_internet"] is False
    assert kernel["machine_shape"] == "NvidiaTeslaT4"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": "Me/prompt-ensemble-submission"}, "expected user/slug"),
        ({"title": "Something else"}, "slug 'prompt-ensemble-submission' is not that of"),
        ({"title": "Hm", "id": "me/hm"}, "2 characters, expected 5 to 50"),
        ({"code_file": "other.py"}, "code_file 'other.py' is not next to it"),
        ({"language": "r"}, "language is 'r'"),
        ({"enable_internet": None}, "enable_internet is None, expected true or false"),
        ({"enable_internet": "false"}, "enable_internet is 'false'"),
        ({"machine_shape": None}, "machine_shape is None"),
        ({"dataset_sources": ["prompt-ensemble"]}, "'prompt-ensemble', which is no user/slug"),
        ({"competition_sources": ["a/b"]}, "'a/b', which is no slug"),
    ],
)
def test_what_kaggle_would_refuse_is_named(kernel, change, fault):
    (found,) = kernel_faults(kernel | change, KERNELS / "submission")
    assert fault in found


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"licenses": []}, "expected exactly one"),
        ({"licenses": [{"name": "MIT"}]}, "licenses are ['MIT']"),
        ({"subtitle": "short"}, "expected 20 to 80"),
        ({"title": "P" * 51, "id": f"me/{'p' * 51}"}, "expected 3 to 50"),
    ],
)
def test_datasets_have_rules_too(change, fault):
    assert dataset_faults(DATASET) == []
    assert any(fault in found for found in dataset_faults(DATASET | change))


def test_slugs_are_made_of_titles():
    assert slugified("Prompt Ensemble: 2nd try!") == "prompt-ensemble-2nd-try"


def test_a_file_that_is_no_object_is_one_clear_error(tmp_path):
    (tmp_path / DATASET_FILE).write_text(json.dumps([1]))
    with pytest.raises(BadMetadata, match="a list is where an object should"):
        read_metadata(tmp_path / DATASET_FILE)
