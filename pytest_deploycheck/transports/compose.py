"""How a Compose project is asked for: by the files that the target names, or by those it was started with.

Compose leaves on each container the files, the folder and the environment files that it was made from. Asking
with the same ones gives what Compose would do now; without them the answer would be about another project.

Digests of services are asked for in three ways, since Compose does not always make its containers' labels as
`config --hash` does. From 2.22 until August 2026 that left out the variables of `env_file` (compose issue
14001): the resolved declaration has them. And `up --no-deps` makes containers of services without depends_on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DECLARED = (
    'config="$(ask config --format json)" || exit; printf "%s\\n" "$config"; '
    "ask config --hash '*'; "
    'printf "%s" "$config" | {program} --file=- config --hash \'*\'; '
    'printf "%s" "$config" | sed \'/^      "depends_on": {{$/,/^      }},$/d\' | {program} --file=- config --hash \'*\''
)
"""The declaration as JSON, then digests of services, a name and a digest a line."""
PS = "ask ps --all --no-trunc --format json"
PROGRAMS = ("docker compose", "docker-compose")
NO_PROJECT = 66
"""The exit status when no container belongs to a project of Compose."""

_NAME = r"[a-z0-9][a-z0-9_-]*"
_FILE = r"/[\w./@+-]+"
_LABEL = "com.docker.compose.project"
# The labels by inspect: podman's list of containers has no template function for one.
_AS_STARTED = (
    'newest="$(docker ps --all --quiet --filter "label=' + _LABEL + '{project}" '
    '--filter "label=' + _LABEL + '.config_files" | head -n 1)"; test -n "$newest" || exit 66; '
    'IFS="|" read -r name folder files environment <<END\n'
    '$(docker inspect --format "{labels}" "$newest")\nEND\n'
    'export COMPOSE_PATH_SEPARATOR=, COMPOSE_FILE="$files"; '
    'test -z "$environment" || export COMPOSE_ENV_FILES="$environment"; '
    'ask() {{ {program} -p "$name" --project-directory "$folder" "$@"; }}; '
)
_LABELS = "|".join(
    f'{{{{index .Config.Labels \\"{_LABEL}{part}\\"}}}}'
    for part in ("", ".working_dir", ".config_files", ".environment_file")
)
_BY_FILES = 'ask() {{ {program}{project}{files} "$@"; }}; '


def question(asked: str, *, project: str = "", files: Sequence[str] = (), program: str = PROGRAMS[0]) -> str:
    """Return the script that asks Compose: `DECLARED` or `PS`.

    project: its name, empty for the newest one that there is.  files: absolute paths on the server, empty for
    those that the project was started with.
    """
    if files:
        name = f" --project-name={project}" if project else ""
        start = _BY_FILES.format(
            program=program, project=name, files="".join(f" --file={one}" for one in files)
        )
    else:
        wanted = f"={project}" if project else ""
        start = _AS_STARTED.format(program=program, project=wanted, labels=_LABELS)
    return start + asked.format(program=program)


def is_question(script: str) -> bool:
    """Whether a script is, word for word, one that `question` returns."""
    return any(pattern.fullmatch(script) for pattern in _PATTERNS)


def _pattern(asked: str, program: str) -> str:
    by_label = re.escape(question(asked, project="NAME", program=program)).replace("=NAME", f"(?:={_NAME})?")
    by_files = re.escape(question(asked, files=["FILE"], program=program))
    options = rf"(?: --project-name={_NAME})?(?: --file={_FILE})+"
    return f"{by_label}|{by_files.replace(re.escape(' --file=FILE'), options)}"


_PATTERNS = tuple(re.compile(_pattern(asked, program)) for asked in (DECLARED, PS) for program in PROGRAMS)
