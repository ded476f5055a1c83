"""Kernels as they are pushed."""

import ast
import json
import sys
from pathlib import Path

import pytest

from prompt_ensemble.core.errors import BadConfig, BadMetadata
from prompt_ensemble.kaggle.rendering import render_kernels

KERNELS = Path(__file__).parents[2] / "kernels"


def test_every_kernel_is_rendered_under_the_users_name(tmp_path):
    folders = render_kernels(KERNELS, tmp_path / "out", "somebody")
    assert {folder.name for folder in folders} == {
        "predict_validation", "submission", "train_regressor", "tune_weights", "wheels",
    }  # fmt: skip
    for folder in folders:
        text = (folder / "kernel-metadata.json").read_text()
        metadata = json.loads(text)
        assert metadata["id"].startswith("somebody/")
        assert "USERNAME" not in text
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["kernel-metadata.json", metadata["code_file"]]
        )


def test_what_a_kernel_needs_another_one_is_named_like(tmp_path):
    folders = render_kernels(KERNELS, tmp_path, "somebody")
    described = [json.loads((f / "kernel-metadata.json").read_text()) for f in folders]
    names = {metadata["id"] for metadata in described}
    assert {source for metadata in described for source in metadata["kernel_sources"]} <= names


def test_the_preset_is_written_into_the_script(tmp_path):
    render_kernels(KERNELS, tmp_path, "somebody", '/kaggle/input/my "own"/mine.toml')
    code = (tmp_path / "submission" / "submission.py").read_text()
    assert 'PRESET = "/kaggle/input/my \\"own\\"/mine.toml"\n' in code
    compile(code, "submission.py", "exec")


def test_a_rendered_kernel_is_one_file_that_runs_before_the_package_is_installed(tmp_path):
    for folder in render_kernels(KERNELS, tmp_path, "somebody"):
        code = (folder / f"{folder.name}.py").read_text()
        before = code[: code.index("from prompt_ensemble")]
        imports = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(before))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module] if isinstance(node, ast.ImportFrom) else names_of(node))
        }
        assert imports <= sys.stdlib_module_names
        if folder.name != "wheels":
            assert before.count("def install()") == 1
            assert before.rstrip().endswith("\ninstall()")


def names_of(node):
    return [alias.name for alias in node.names]


@pytest.mark.parametrize("name", ["", "../../etc", "Some Body", "a/b"])
def test_a_name_that_could_be_a_path_is_refused(tmp_path, name):
    with pytest.raises(BadMetadata, match="no Kaggle user name"):
        render_kernels(KERNELS, tmp_path, name)


def test_a_folder_without_kernels_is_an_error(tmp_path):
    with pytest.raises(BadMetadata, match="holds no kernels"):
        render_kernels(tmp_path, tmp_path / "out", "somebody")


def test_a_preset_that_nobody_knows_is_an_error(tmp_path):
    with pytest.raises(BadConfig, match="unknown preset 'nonsense'"):
        render_kernels(KERNELS, tmp_path / "out", "somebody", "nonsense")
