"""HTML pages from Jinja templates, which lie next to the code that fills them."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

_SHARED = "prompt_ensemble.core"
"""Package of ``document.html``, which every page extends."""


def render(package: str, template: str, *, borrow: tuple[str, ...] = (), **values: object) -> str:
    """A page from a template of ``package``; whatever it is given is escaped.

    Packages to ``borrow`` from have parts of it, such as tables and their look.
    """
    folders = [PackageLoader(name, "") for name in (package, *borrow, _SHARED)]
    environment = Environment(
        loader=ChoiceLoader(folders), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(template).render(values)
