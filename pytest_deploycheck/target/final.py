"""What the final checks before a go-live compare."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_deploycheck.target.base import Section


class SloRow(Section):
    """One indicator: PromQL that gives one value, and what that must be; `$rate` is the span of rates."""

    query: str = Field(min_length=1)
    op: Literal["<=", ">=", "<", ">"] = "<="
    limit: float


class SloSection(Section):
    """`[slo]`: the indicators of performance at go-live.

    Usual ones come from the metrics of `[prometheus]` and `[watch]` (see probes/slo_rows.py).  `table`: indicators
    by name, beside these or, by the same name, instead of them.  `leave_out`: usual ones that do not apply here,
    each with the reason.  `queue_metric`: entries that wait, by instance.
    """

    queue_metric: str = "app_queue_depth"
    table: dict[str, SloRow] = {}
    leave_out: dict[str, str] = {}


class GoliveSection(Section):
    """`[golive]`: the last look before users come.

    `contract_tools`: analysers of contracts, by their names in SARIF, that must have looked at the code.
    """

    contract_tools: list[str] = []
