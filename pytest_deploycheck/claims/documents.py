"""What checks of documents assert alike: that a document is sound, true of the release, and reviewed as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.docs_facts import Document


def sound(document: Document, limits: Limits) -> None:
    """Assert that a document is there, long enough, finished, and true of the release as far as that is seen."""
    assert document.there, f"{document.path} is neither in the released commit nor beside the target file"
    assert document.words >= limits.doc_min_words, f"{document.path} has {document.words} words"
    true(document)


def true(document: Document) -> None:
    """Assert that a document is finished, its links lead somewhere, and what it names is there."""
    assert not document.undone, f"{document.path} is not finished: {', '.join(document.undone[:3])}"
    for link in document.links:
        assert not link.wrong, f"{document.path} links to {link.to}: {link.wrong}"
    for kind, name in document.drift:
        assert not name, f"{document.path} names the {kind} {name}, which this release does not have"


def reviewed(said: dict[str, object], documents: Iterable[Document], name: str) -> tuple[str, ...]:
    """Assert that a record names each document by the digest that it has now; return the paths."""
    found = []
    for document in documents:
        assert document.there, f"{document.path} is not there"
        assert document.path in said, f"{name}: nobody has reviewed {document.path}"
        assert str(said[document.path]).lower() == document.digest, (
            f"{name} is about another text of {document.path}: it was changed after the review"
        )
        found.append(document.path)
    return tuple(found)
