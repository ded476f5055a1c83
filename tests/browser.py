"""Debian's chromium without a window: opens a page from disk and says what became of it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--allow-file-access-from-files", "--virtual-time-budget=3000",
)  # fmt: skip
WATCH = """<script>
window.problems = [];
addEventListener("error", (event) => problems.push("error: " + (event.message || event.target.src)),
  true);
addEventListener("securitypolicyviolation", (event) => problems.push(
  "refused: " + event.blockedURI));
for (const level of ["error", "warn"])
  console[level] = (...words) => problems.push(words.join(" "));
</script>"""
TELL = """<script>
addEventListener("load", () => {
  const outcome = document.createElement("pre");
  outcome.id = "outcome";
  const found = (() => { %s })();
  found.requests = performance.getEntriesByType("resource").map((entry) => entry.name).filter(
    (name) => !name.startsWith("data:"));
  found.problems = problems;
  outcome.textContent = JSON.stringify(found);
  document.body.append(outcome);
});
</script>"""


def try_page(page: Path, script: str, folder: Path) -> dict:
    """What ``script`` returns when it runs in the loaded page, with all requests and problems."""
    text = page.read_text(encoding="utf-8")
    watched = folder / "watched.html"
    text = text.replace("</head>", WATCH + "</head>", 1).replace(
        "</body>", TELL % script + "</body>"
    )
    watched.write_text(text, encoding="utf-8")
    document = run("--dump-dom", watched, folder)
    found = re.search(r'<pre id="outcome">(.*?)</pre>', document, re.DOTALL)
    assert found, document[-2000:]
    return json.loads(html.unescape(found[1]))


def screenshot(page: Path, picture: Path, width: int, height: int, folder: Path) -> None:
    """A picture of the top of the page."""
    run(f"--screenshot={picture}", page, folder, f"--window-size={width},{height}")


def run(what: str, page: Path, folder: Path, *more: str) -> str:
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *FLAGS, profile, *more, what, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
