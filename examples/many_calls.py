"""An ensemble that stays open, as a server holds it: python examples/many_calls.py PICTURE ..."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prompt_ensemble import load_ensemble

with load_ensemble("embedded") as ensemble, ThreadPoolExecutor(4) as threads:
    contents = [Path(name).read_bytes() for name in sys.argv[1:]]
    for name, answer in zip(sys.argv[1:], threads.map(ensemble.embed, contents), strict=True):
        print(name, answer.vectors[0, :3].round(3))
