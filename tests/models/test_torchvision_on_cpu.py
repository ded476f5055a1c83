"""torchvision together with a CPU build of torch."""

import subprocess
import sys


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_torchvision_imports_after_the_package():
    print_version = "import prompt_ensemble, torchvision; print(torchvision.__version__)"
    assert python(print_version)


def test_importing_the_package_imports_no_heavy_library():
    code = (
        "import prompt_ensemble, sys; print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    assert python(code) == "[]"


def test_installing_twice_watches_once():
    code = (
        "import sys; from prompt_ensemble.models.torchvision_on_cpu import install, "
        "TorchvisionWatcher;"
        "install(); print(sum(isinstance(f, TorchvisionWatcher) for f in sys.meta_path))"
    )
    assert python(code) == "1"
