"""How a Compose project is asked for: by the files that the target names, or by those it was started with.

Compose leaves on each container the files, the folder and the environment files that it was made from. Asking
with the same ones gives what Compose would do now; without them the answer would be about another project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PROJECT = r"[a-z0-9][a-z0-9_-]*"
"""What Compose takes for a project's name."""
CONFIG = "config --format json"
HASHES = "config --hash '*'"
PS = "ps --all --no-trunc --format json"
NO_PROJECT = 66
"""The exit status when no container belongs to a project of Compose."""

_LABEL = "com.docker.compose.project"
_AS_STARTED = (
    'label() {{ docker ps --all --filter "label=' + _LABEL + '{project}" '
    '--format "{{{{.Label \\"' + _LABEL + '$1\\"}}}}" | head -n 1; }}; '
    'name="$(label)"; test -n "$name" || exit 66; '
    'export COMPOSE_PATH_SEPARATOR=, COMPOSE_FILE="$(label .config_files)"; '
    'export COMPOSE_ENV_FILES="$(label .environment_file)"; test -n "$COMPOSE_ENV_FILES" || unset COMPOSE_ENV_FILES; '
    '{program} -p "$name" --project-directory "$(label .working_dir)" {question}'
)


def question(
    asked: str, *, project: str = "", files: Sequence[str] = (), program: str = "docker compose"
) -> str:
    """Return the command that asks Compose: `CONFIG`, `HASHES` or `PS`.

    project: its name, empty for the newest one that there is.  files: paths on the server, empty for those that
    the project was started with.
    """
    if files:
        options = [f"--project-name={project}"] if project else []
        return " ".join((program, *options, *(f"--file={file}" for file in files), asked))
    if project and asked == PS:
        return f"{program} --project-name={project} {asked}"
    return _AS_STARTED.format(project=f"={project}" if project else "", program=program, question=asked)


def is_question(command: str) -> bool:
    """Whether a command is, word for word, one that `question` returns for a project as it was started."""
    return any(pattern.fullmatch(command) for pattern in _PATTERNS)


_PATTERNS = tuple(
    re.compile(
        re.escape(question(asked, project="@", program=program)).replace("=@", f"(?:={PROJECT})?")
        if asked != PS
        else re.escape(question(asked, program=program))
    )
    for asked in (CONFIG, HASHES, PS)
    for program in ("docker compose", "docker-compose")
)
