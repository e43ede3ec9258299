"""Configuration files of the demo's servers: templates in `config/`, with `@name@` where a value goes."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "config"


def render(template: str, target: Path, *, mode: int = 0o644, **values: object) -> Path:
    """Write a template to a file of the deployment; KeyError for a placeholder without a value."""

    def value(match: re.Match[str]) -> str:
        return str(values[match[1]])

    text = re.sub(r"@([a-z_0-9]+)@", value, (_FOLDER / template).read_text())
    target.parent.mkdir(parents=True, exist_ok=True)
    # Never a moment in which a file with a secret in it can be read by others.
    scratch = target.with_name(target.name + ".new")
    scratch.touch(mode=0o600)
    scratch.write_text(text)
    scratch.chmod(mode)
    scratch.replace(target)
    return target
