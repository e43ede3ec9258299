"""A stage for the project's CI: the smoke suite after each deployment, its evidence kept."""

from __future__ import annotations

from pathlib import Path

GITHUB = """\
# After each deployment: the smoke stage of the deployment checklist. Call it from your deploy workflow, or run it by
# hand. Put the secrets that targets/prod.toml refers to into the environment "production".
name: deploycheck
on:
  workflow_call:
  workflow_dispatch:
jobs:
  smoke:
    runs-on: ubuntu-latest
    environment: production
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - uses: actions/setup-python@v5
        with: { python-version: "3.12" }
      - run: pip install 'pytest-deploycheck[all]'
      - run: pytest suites -m smoke --target prod --evidence evidence --junitxml=evidence-junit.xml
        env:
          RELEASE_COMMIT: ${{ github.sha }}
%(secrets)s
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: deploycheck-evidence, path: evidence }
"""
GITLAB = """\
# After each deployment: the smoke stage of the deployment checklist. Include this file from .gitlab-ci.yml:
#   include: { local: .gitlab/deploycheck.yml }
# The secrets that targets/prod.toml refers to are CI variables, masked and protected: %(names)s
deploycheck:smoke:
  stage: .post
  image: python:3.12
  variables:
    RELEASE_COMMIT: $CI_COMMIT_SHA
  script:
    - pip install 'pytest-deploycheck[all]'
    - pytest suites -m smoke --target prod --evidence evidence --junitxml=evidence-junit.xml
  artifacts:
    when: always
    paths: [evidence]
    reports: { junit: evidence-junit.xml }
"""


def stages(root: Path, provider: str, secrets: list[str]) -> dict[str, str]:
    """Return the files of a CI stage by their paths, for the CI that the project has; both where it has none."""
    found = {}
    if provider in ("github", ""):
        lines = [f"          {name}: ${{{{ secrets.{name} }}}}" for name in secrets]
        found[".github/workflows/deploycheck.yml"] = GITHUB % {"secrets": "\n".join(lines)}
    if provider in ("gitlab", ""):
        found[".gitlab/deploycheck.yml"] = GITLAB % {"names": ", ".join(secrets) or "none"}
    return found
