"""One run: the target, the checklist and the wire, held together without any knowledge of pytest."""

from __future__ import annotations

import getpass
import os
import platform
import secrets as random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import checklist as checklists
from pytest_deploycheck.assemble import Seen, assemble, claim_from_json
from pytest_deploycheck.claims import judge, of_target
from pytest_deploycheck.gather import JOBS, Gatherer, Progress, closure
from pytest_deploycheck.observe import CannotLook, Observation, Probe
from pytest_deploycheck.record import Record, digest, jsonable
from pytest_deploycheck.target.load import secrets as references
from pytest_deploycheck.transports import Wire
from pytest_deploycheck.transports.endpoints import where
from pytest_deploycheck.verdict import Claim, Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

CI_RUN_URLS = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")


class Run:
    """A run against one target, or over the observations of an earlier one (`replay`)."""

    def __init__(
        self,
        target: Target,
        *,
        allow: Iterable[str] = (),
        jobs: int = JOBS,
        within: float | None = None,
        as_of: datetime | None = None,
        replay: Record | None = None,
        command: str = "",
        pytest_version: str = "",
        checklist: checklists.Checklist | None = None,
    ) -> None:
        self.target = target
        self.jobs = jobs
        self.within = within
        self.replay = replay
        self.started = datetime.now(UTC)
        self.as_of = as_of
        self.id = f"{self.started:%Y%m%dT%H%M%SZ}-{random.token_hex(4)}"
        self.checklist = checklist or checklists.default()
        self.wire = Wire(
            target,
            run_id=self.id,
            allow=frozenset({*allow, *target.target.allow}),
            as_of=as_of,
            signed=lambda: of_target.signed_files(target, self.checklist, self.now),
        )
        self.observations: dict[str, Observation] = {}
        self.gatherer: Gatherer | None = None
        self.seen = Seen(header=self._header(command, pytest_version), claims=self._claims())

    @property
    def now(self) -> datetime:
        """The time that this run judges at: its start, or `--as-of`; a replay judges at the recorded time."""
        if self.as_of is not None:
            return self.as_of
        if self.replay is not None:
            return datetime.fromisoformat(self.replay.run["started_at"])
        return self.started

    def begin_again(self) -> None:
        """Judge as of now: what comes before a look, such as a drill, takes its time."""
        self.started = datetime.now(UTC)
        self.seen.header["run"]["started_at"] = self.started.isoformat(timespec="milliseconds")

    def learn_secrets(self) -> None:
        """Resolve every secret of the target, so that none can be printed before it is used."""
        for reference in references(self.target).values():
            try:
                self.wire.secret(reference)
            except CannotLook:
                continue  # the probes that need it will say so

    def gather(
        self, names: Iterable[str], probes: Mapping[str, Probe], progress: Progress | None = None
    ) -> dict[str, Observation]:
        """Look with the named probes (or read the recorded observations); also fills `seen`."""
        wanted = closure(names, probes)
        if self.replay is not None:
            self.observations = replayed(self.replay, wanted, probes)
        else:
            self.learn_secrets()
            self.gatherer = Gatherer(self.wire, probes, jobs=self.jobs, within=self.within, progress=progress)
            # Set here, in the main thread, for all probes: warning filters belong to the whole process.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    self.observations = self.gatherer.run(wanted)
                except KeyboardInterrupt:
                    self.gatherer.abandon()
                    self.observations = self.gatherer.done
                    raise
                finally:
                    self.wire.close()
                    self.note_observations(self.gatherer.done)
        self.note_observations(self.observations)
        return self.observations

    def note_observations(self, observations: Mapping[str, Observation]) -> None:
        """Put observations and the ledger into `seen`."""
        self.seen.observations = {name: found.to_json() for name, found in observations.items()}
        self.seen.requests = self.wire.ledger.to_json()

    def plan(self, names: Iterable[str], probes: Mapping[str, Probe]) -> list[dict[str, str]]:
        """Return all that the named probes could do, without doing any of it."""
        entries = []
        for name in closure(names, probes):
            probe = probes[name]
            refused = probe.allow and probe.allow not in self.wire.allow
            for place, actions in (probe.uses or {"-": "-"}).items():
                entries.append(
                    {
                        "probe": name,
                        "safety": probe.safety,
                        "endpoint": place,
                        "where": where(self.target, place) if place != "-" else "",
                        "actions": actions,
                        "needs": f"--allow {probe.allow}" if refused else "",
                        "summary": probe.summary,
                    }
                )
        return entries

    def record(self, *, interrupted: bool = False) -> Record:
        """Return the record of what was seen and judged so far."""
        self.seen.interrupted = interrupted
        self.seen.finished_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return assemble(self.seen, self.checklist, now=self.now)

    def _claims(self) -> list[Claim]:
        if self.replay is not None and not self.target.not_applicable:
            return [claim_from_json(claim) for claim in self.replay.claims]
        files = of_target.signed_files(self.target, self.checklist, self.now, judge.KINDS)
        signed = judge.claims(files)
        unknown = set(self.target.not_applicable) - set(self.checklist.by_id)
        return signed + [
            Claim(
                kind="not_applicable",
                item=item,
                why=why,
                by="demo target file",
                origin=self.target.path.name,
                problem=f"no item {item!r} in {self.checklist.path}" if item in unknown else "",
            )
            for item, why in self.target.not_applicable.items()
        ]

    def _header(self, command: str, pytest_version: str) -> dict[str, Any]:
        target = self.target
        set_limits = {name: getattr(target.limits, name) for name in sorted(target.limits.model_fields_set)}
        return {
            "tool": {
                "name": "pytest-deploycheck",
                "version": _version(),
                "python": platform.python_version(),
                "pytest": pytest_version,
            },
            "run": {
                "id": self.id,
                "started_at": self.started.isoformat(timespec="milliseconds"),
                "operator": _operator(),
                "runner": platform.node(),
                "ci_run": _ci_run(),
                "command": command,
                "as_of": self.as_of.isoformat() if self.as_of else "",
                "replayed_from": self.replay.run["id"] if self.replay else "",
            },
            "target": {
                "name": target.name,
                "environment": target.target.environment,
                "base_url": target.target.base_url,
                "file": target.path.name,
                "config_digest": digest(target.model_dump(mode="json")),
                "limits": set_limits,
            },
            "release": {
                "version": target.release.version,
                "commit": target.release.commit,
                "deployed_at": target.release.deployed_at.isoformat() if target.release.deployed_at else "",
                "images": dict(target.release.images),
                "contract": target.contract.address,
            },
            "standins": dict(target.standins),
            "selection": [],
            "coverage": {"items_without_test": [], "tests_without_item": [], "drift": []},
        }

    def select(self, items: Sequence[str], coverage: Mapping[str, Any]) -> None:
        """Note which items this run judges, in checklist order, and what the suites leave uncovered."""
        wanted = set(items)
        self.seen.header["selection"] = [item.id for item in self.checklist.items if item.id in wanted]
        self.seen.header["coverage"] = jsonable(coverage)

    def claim_for(self, items: Iterable[str], *kinds: str) -> Claim | None:
        """Return a claim that counts now for all of some items, of the first kind that has one for each."""
        wanted = tuple(items)
        counting = {(one.kind, one.item): one for one in self.seen.claims if one.counts(self.now)}
        for kind in kinds:
            found = [counting.get((kind, item)) for item in wanted]
            if found and all(found):
                return found[0]
        return None


def replayed(record: Record, names: Iterable[str], probes: Mapping[str, Probe]) -> dict[str, Observation]:
    """Return the recorded observations of the named probes; what was not recorded is no evidence."""
    stored = {str(entry["probe"]): entry for entry in record.observations}
    absent = f"the recorded run {record.run.get('id', '')} did not look with this probe"
    return {
        name: Observation.from_json(stored[name], probes)
        if name in stored
        else Observation(name, "unseen", reason=Reason.NO_EVIDENCE.value, detail=absent)
        for name in names
    }


def _version() -> str:
    try:
        return version("pytest-deploycheck")
    except PackageNotFoundError:
        return "unknown"


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _ci_run() -> str:
    env = os.environ
    if env.get("GITHUB_RUN_ID"):
        repository = f"{env.get('GITHUB_SERVER_URL')}/{env.get('GITHUB_REPOSITORY')}"
        return f"{repository}/actions/runs/{env['GITHUB_RUN_ID']}"
    return next((env[name] for name in CI_RUN_URLS if env.get(name)), "")
