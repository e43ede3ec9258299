"""Probes and observations: how a fact, a refusal and a look that failed are represented.

    @probe(facts=TlsFacts, deadline=10, uses={"edge": "handshake"})
    def tls(target: Target, connect: Connections) -> TlsFacts: ...

registers one conversation with one system. Its result is an `Observation`: facts, or a refusal that
kills a gate, or the reason why nothing could be seen, or the probe's own failure. The function may ask
for `target`, `limits`, `connect`, and for other probes' facts by their fixture names (`tls_facts`).
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_deploycheck.record import digest, jsonable
from pytest_deploycheck.verdict import Reason

SUFFIX = "_facts"
SSH_GATE = "ssh_gate"
ARGUMENTS = frozenset({"target", "limits", "connect"})
SAFETY_CLASSES = ("S0", "S1", "S2", "S3", "S4", "S5")
ALLOWANCES = ("burst", "load", "canary", "negative-writes", "spend")


class ProbeDefinitionError(Exception):
    """A probe is written wrongly; the message names it and what to write instead."""


class CannotLook(Exception):
    """Raised by a probe or a transport when nothing could be seen; says why and what to do about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Dead(Exception):
    """Raised when the target refuses a prerequisite of many items: a refusal is a fact, and has an owner."""

    def __init__(self, gate: str, message: str) -> None:
        super().__init__(message)
        self.gate = gate
        self.message = message


@dataclass(frozen=True)
class Reads:
    """Reading commands that a probe wants run on the main server, and on every server of the target."""

    main: tuple[str, ...] = ()
    every: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A registered probe.

    deadline: seconds until the look is given up.  needs: probes that must have seen something first.
    after: probes that must be done first, whatever they saw: it can do with less.
    uses: endpoint name -> the actions (space separated) it may take there; transports refuse any other,
    so a plan made from these is complete.  safety: S0 to S5 as in docs/safety.md.  allow: the --allow
    word it waits for.  exclusive: runs alone, after all others.  reads: target -> the commands that it will
    read on servers; they are fetched together with those of all other probes, by the gate of the server.
    """

    name: str
    function: Callable[..., Any]
    facts: type
    deadline: float
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    uses: Mapping[str, str] = field(default_factory=dict)
    safety: str = "S1"
    allow: str = ""
    exclusive: bool = False
    summary: str = ""
    reads: Callable[[Any], Reads] | None = None

    @property
    def fixture(self) -> str:
        """The name of the fixture that holds this probe's facts."""
        return self.name + SUFFIX

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that the function asks for."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def upstream(self) -> tuple[str, ...]:
        """The probes whose facts, or whose success, this one waits for."""
        asked = (name.removesuffix(SUFFIX) for name in self.parameters if name.endswith(SUFFIX))
        return tuple(dict.fromkeys((*self.needs, *asked)))

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The probes that are done before this one starts."""
        return tuple(dict.fromkeys((*self.upstream, *self.after)))

    def revive(self, values: Any) -> Any:
        """Return facts made of plain JSON values as the probe's own type again."""
        from pydantic import TypeAdapter

        return TypeAdapter(self.facts).validate_python(values)


def probe(
    *,
    facts: type,
    deadline: float,
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    uses: Mapping[str, str] | None = None,
    safety: str = "S1",
    allow: str = "",
    exclusive: bool = False,
    reads: Callable[[Any], Reads] | None = None,
) -> Callable[[Callable[..., Any]], Probe]:
    """Make a function a probe; its name is the probe's, its docstring's first line the summary."""

    def register(function: Callable[..., Any]) -> Probe:
        name = function.__name__
        if not (dataclasses.is_dataclass(facts) and facts.__dataclass_params__.frozen):  # type: ignore[attr-defined]
            raise ProbeDefinitionError(f"probe {name}: facts={facts!r} must be a frozen dataclass")
        if not function.__doc__:
            raise ProbeDefinitionError(f"probe {name} needs a docstring; its first line is shown in --plan")
        if safety not in SAFETY_CLASSES:
            raise ProbeDefinitionError(f"probe {name}: safety={safety!r} is none of {SAFETY_CLASSES}")
        if allow and allow not in ALLOWANCES:
            raise ProbeDefinitionError(f"probe {name}: allow={allow!r} is none of {ALLOWANCES}")
        if reads is not None and SSH_GATE not in (*needs, *after):
            raise ProbeDefinitionError(
                f"probe {name} has reads=; it needs the server's gate: needs=({SSH_GATE!r},), or after= where "
                "it can do without"
            )
        made = Probe(
            name=name,
            function=function,
            facts=facts,
            deadline=deadline,
            needs=needs,
            after=after,
            uses=dict(uses or {}),
            safety=safety,
            allow=allow,
            exclusive=exclusive,
            summary=inspect.getdoc(function).splitlines()[0],  # type: ignore[union-attr]
            reads=reads,
        )
        for parameter in made.parameters:
            if parameter not in ARGUMENTS and not parameter.endswith(SUFFIX):
                raise ProbeDefinitionError(
                    f"probe {name}: argument {parameter!r} is unknown; ask for target, limits, connect "
                    "or another probe's <name>_facts"
                )
        return made

    return register


@dataclass(frozen=True)
class Observation:
    """What came of one probe in one run.

    state: "seen" (facts), "dead" (a gate refused: `gate`, `detail`), "unseen" (`reason`, `detail`) or
    "broken" (the probe has a bug: `detail`).  started_at: UTC ISO 8601, empty if it never ran.
    """

    probe: str
    state: str
    facts: Any = None
    reason: str = ""
    gate: str = ""
    detail: str = ""
    safety: str = "S1"
    started_at: str = ""
    duration_s: float = 0.0
    needs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as the record's `observations` entry, with a digest over the facts."""
        values: dict[str, Any] = jsonable(self)
        values["digest"] = digest(self.facts) if self.facts is not None else ""
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], probes: Mapping[str, Probe]) -> Observation:
        """Read a recorded observation back; facts of another shape count as unparseable."""
        names = {f.name for f in dataclasses.fields(cls)}
        kept = {name: value for name, value in values.items() if name in names}
        kept["needs"] = tuple(kept.get("needs", ()))
        known = probes.get(str(values.get("probe")))
        if kept.get("facts") is not None and known is not None:
            try:
                kept["facts"] = known.revive(kept["facts"])
            except ValueError:
                kept |= {
                    "state": "unseen",
                    "facts": None,
                    "reason": Reason.UNPARSEABLE.value,
                    "detail": f"the recorded {known.name} facts were made by another version of the plugin",
                }
        return cls(**kept)
