"""What every section of a target file is made of: strict models, addresses and moments."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _http_url(value: str) -> str:
    """Accept an absolute http(s) URL without credentials; secrets are given by reference."""
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("must be an absolute http:// or https:// URL")
    if url.username or url.password:
        raise ValueError("must not hold a user name or password; give them as a secret reference")
    return value.rstrip("/")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, e.g. 2026-11-24T09:30:00Z")
    return value


def _cidr(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(f"must be a network such as 10.0.3.0/24 or an address: {error}") from None


def _ip_address(value: str) -> str:
    """Accept an IP address, in its canonical form from then on."""
    return str(ipaddress.ip_address(value))


def _ip_network(value: str) -> str:
    """Accept an IP address or a network with its prefix."""
    return str(ipaddress.ip_network(value)) if "/" in value else _ip_address(value)


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Moment = Annotated[datetime, AfterValidator(_aware)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
IpNetwork = Annotated[str, AfterValidator(_ip_network)]
Port = Annotated[int, Field(ge=0, le=65535)]
Cidr = Annotated[str, AfterValidator(_cidr)]


class Section(BaseModel):
    """A section of the target file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
