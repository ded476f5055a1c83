"""What an ordinary install runs, and what the commands say where it needs an extra."""

import subprocess
import sys

import pytest

EXTRAS = (
    "faiss",
    "matplotlib",
    "peft",
    "skimage",
    "sacrebleu",
    "rouge_score",
    "pycocoevalcap",
    "diffusers",
)


def run_without(code, *packages):
    """A Python in which these packages cannot be imported."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({list(packages)!r}))"
    command = [sys.executable, "-c", f"{blocked}\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_embedded_preset_needs_no_extra(tmp_path, photos):
    arguments = ["predict", str(photos), "--device", "cpu", "--out", str(tmp_path / "out")]
    code = f"from prompt_ensemble.cli.main import main; sys.exit(main({arguments!r}))"
    done = run_without(code, *EXTRAS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "submission.csv").is_file()


@pytest.mark.parametrize(
    ("package", "extra", "code"),
    [
        ("skimage", "samples", "from prompt_ensemble.images.samples import *; sample_images()"),
        (
            "matplotlib", "plots",
            "from prompt_ensemble.core.svg_figures import *; draw_svg('title', None, (1, 1))",
        ),
        (
            "matplotlib", "plots",
            "from prompt_ensemble.study.captioner_study import *; require_extras()",
        ),
        (
            "faiss", "faiss",
            "from prompt_ensemble.data.approximate_index import *; import_faiss()",
        ),
        (
            "faiss", "faiss",
            "from prompt_ensemble.members.neighbours.faiss_search import *; import_faiss()",
        ),
        *(
            (
                package, "text",
                "from prompt_ensemble.evaluation.text_measures import *; require_libraries()",
            )
            for package in ("sacrebleu", "rouge_score", "pycocoevalcap")
        ),
    ],
)  # fmt: skip
def test_what_needs_an_extra_names_it(package, extra, code):
    done = run_without(code, package)
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingDependency" in last
    assert f"pip install 'prompt-ensemble[{extra}]'" in last
