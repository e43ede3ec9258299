"""The demo's contracts: Solidity sources, their compiled artifacts, and the deployment of both.

`Token.json` and `Guardians.json` are what `compile.mjs` made of the sources beside them: Hardhat's field
names, hex with 0x, and immutableReferences as solc gives them. `sourceSha256` tells whether a source was edited
since.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import Any

TOKEN, GUARDIANS = "Token", "Guardians"
PRICE_WEI = 10**12  # one token costs a millionth of an ether


@functools.cache
def artifact(name: str = TOKEN) -> dict[str, Any]:
    """Return the compiled artifact of a contract; FileNotFoundError when there is none of that name."""
    loaded: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text())
    return loaded
