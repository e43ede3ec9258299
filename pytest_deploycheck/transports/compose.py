"""How a Compose project is asked for: by the files that the target names, or by those it was started with.

Compose leaves on each container the files, the folder and the environment files that it was made from. Asking
with the same ones gives what Compose would do now; without them the answer would be about another project.

Digests of services are asked for twice. From 2.22 until August 2026 `config --hash` left out the variables of
`env_file` (compose issue 14001), so that it never agreed with a container's label; the digests of the resolved
declaration do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CONFIG = "ask config --format json"
HASHES = "ask config --hash '*'; ask config --format json | {program} --file=- config --hash '*'"
PS = "ask ps --all --no-trunc --format json"
PROGRAMS = ("docker compose", "docker-compose")
NO_PROJECT = 66
"""The exit status when no container belongs to a project of Compose."""

_NAME = r"[a-z0-9][a-z0-9_-]*"
_FILE = r"/[\w./@+-]+"
_LABEL = "com.docker.compose.project"
_AS_STARTED = (
    'label() {{ docker ps --all --filter "label=' + _LABEL + '{project}" '
    '--format "{{{{.Label \\"' + _LABEL + '$1\\"}}}}" | head -n 1; }}; '
    'name="$(label)"; test -n "$name" || exit 66; folder="$(label .working_dir)"; '
    'export COMPOSE_PATH_SEPARATOR=, COMPOSE_FILE="$(label .config_files)"; '
    'export COMPOSE_ENV_FILES="$(label .environment_file)"; test -n "$COMPOSE_ENV_FILES" || unset COMPOSE_ENV_FILES; '
    'ask() {{ {program} -p "$name" --project-directory "$folder" "$@"; }}; '
)
_BY_FILES = 'ask() {{ {program}{project}{files} "$@"; }}; '


def question(asked: str, *, project: str = "", files: Sequence[str] = (), program: str = PROGRAMS[0]) -> str:
    """Return the script that asks Compose: `CONFIG`, `HASHES` or `PS`.

    project: its name, empty for the newest one that there is.  files: absolute paths on the server, empty for
    those that the project was started with.
    """
    if files:
        name = f" --project-name={project}" if project else ""
        start = _BY_FILES.format(
            program=program, project=name, files="".join(f" --file={one}" for one in files)
        )
    else:
        start = _AS_STARTED.format(program=program, project=f"={project}" if project else "")
    return start + asked.format(program=program)


def is_question(script: str) -> bool:
    """Whether a script is, word for word, one that `question` returns."""
    return any(pattern.fullmatch(script) for pattern in _PATTERNS)


def _pattern(asked: str, program: str) -> str:
    by_label = re.escape(question(asked, project="NAME", program=program)).replace("=NAME", f"(?:={_NAME})?")
    by_files = re.escape(question(asked, files=["FILE"], program=program))
    options = rf"(?: --project-name={_NAME})?(?: --file={_FILE})+"
    return f"{by_label}|{by_files.replace(re.escape(' --file=FILE'), options)}"


_PATTERNS = tuple(
    re.compile(_pattern(asked, program)) for asked in (CONFIG, HASHES, PS) for program in PROGRAMS
)
