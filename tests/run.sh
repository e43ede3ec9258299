#!/usr/bin/env bash
# Runs pytest on two cores. Where no more than a few of the thousands of tests failed, those are run once more, alone,
# since the machine's other work can make a real server late; both results stay in the output, and what fails twice fails.
set -u
few=6
python=.venv/bin/python
"$python" -m pytest -n 2 --cache-clear "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status"
failed=$("$python" -c 'import json; print(len(json.load(open(".pytest_cache/v/cache/lastfailed"))))')
[ "$failed" -le "$few" ] || exit 1
echo "$failed failed: once more, alone"
exec "$python" -m pytest -n 0 --last-failed --last-failed-no-failures none "$@"
