"""The page, read by a strict parser: structure, safety, completeness, size, determinism."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from pytest_deploycheck import record as records
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import html
from pytest_deploycheck.reports.json import dumps

from .factory import record
from .hostile import CORPUS, poisoned
from .pages import ATTRIBUTES, TAGS, attributes, by_id, elements, embedded, has_class, name, parsed, text


@pytest.fixture(scope="module")
def made() -> Record:
    """Return the NO-GO release."""
    return record()


@pytest.fixture(scope="module")
def page(made: Record) -> str:
    """Return its page."""
    return html.render(made)


@pytest.fixture(scope="module", params=range(0, len(CORPUS), 10))
def evil(request: pytest.FixtureRequest) -> Record:
    """Return the same release with hostile strings in every field, each place with several of them."""
    return poisoned(record(), request.param)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    """Return the page, parsed."""
    return parsed(page)


@pytest.fixture(scope="module")
def evil_page(evil: Record) -> str:
    """Return the page of the poisoned release."""
    return html.render(evil)


@pytest.fixture(scope="module")
def evil_tree(evil_page: str) -> Element:
    """Return that page, parsed."""
    return parsed(evil_page)


def test_it_is_html5_without_a_parse_error_and_with_unique_ids(tree: Element, page: str) -> None:
    """A strict parser accepts the page and no id occurs twice (R18)."""
    ids = Counter(node.get("id") for node in elements(tree) if node.get("id"))
    assert [identity for identity, n in ids.items() if n > 1] == []
    assert len(ids) > 125


def test_hostile_strings_make_no_element_no_attribute_and_no_id_of_their_own(evil_tree: Element) -> None:
    """Whatever the strings are, only allow-listed tags and attributes come out of the parser (R8, R18)."""
    nodes = elements(evil_tree)
    assert {name(node) for node in nodes} <= TAGS
    assert {key for node in nodes for key in attributes(node)} <= ATTRIBUTES
    ids = Counter(node.get("id") for node in nodes if node.get("id"))
    assert max(ids.values()) == 1
    assert all(re.fullmatch(r"[A-Za-z][\w.-]*", identity) for identity in ids if identity)


def test_hostile_strings_change_nothing_in_the_skeleton(tree: Element, evil_tree: Element, page: str) -> None:
    """A poisoned page has as many items, sections and scripts as a clean one (R8)."""

    def skeleton(root: Element) -> Counter[str]:
        nodes = elements(root)
        return Counter(
            name(n) for n in nodes if name(n) in ("section", "script", "style", "input", "h2", "meta")
        )

    assert skeleton(evil_tree) == skeleton(tree)


def test_links_lead_into_the_page_or_to_the_web(tree: Element, evil_tree: Element) -> None:
    """Every href is a fragment that exists or an http(s) URL (R8)."""
    for root in (tree, evil_tree):
        nodes = elements(root)
        ids = {node.get("id") for node in nodes}
        links = [attributes(node)["href"] for node in nodes if "href" in attributes(node)]
        assert len(links) > 200
        assert [link for link in links if not re.match(r"#|https?://", link)] == []
        assert [link for link in links if link.startswith("#") and link[1:] not in ids] == []


def test_the_only_script_is_data_and_the_only_style_is_the_hashed_one(tree: Element, page: str) -> None:
    """No JavaScript at all; the policy lets in exactly the page's own style sheet (R3)."""
    nodes = elements(tree)
    assert [node.get("type") for node in nodes if name(node) == "script"] == ["application/json"]
    assert not any(key.startswith("on") or key == "style" for node in nodes for key in attributes(node))
    (style,) = [node for node in nodes if name(node) == "style"]
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    (policy,) = [n.get("content") for n in nodes if n.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_style_sheet_cannot_be_left_by_a_hostile_title(evil_page: str) -> None:
    """The printed footer holds the title with nothing but letters, digits and escapes (R8)."""
    style = evil_page.split("<style>", 1)[1].split("</style>", 1)[0]
    footer = re.search(r"@bottom-left\{content:\"(.*?)\"\}", style)
    assert footer is not None
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\[0-9a-f]+ )*", footer[1])


def test_the_embedded_data_is_the_evidence_file_and_equals_the_record(
    page: str, evil_page: str, evil: Record
) -> None:
    """What is read out of the page is the record, whatever its strings are (R9)."""
    for made_, rendered in ((record(), page), (evil, evil_page)):
        assert embedded(rendered) == dumps(made_)
        assert json.loads(embedded(rendered)) == made_.to_json()


def test_every_item_says_its_verdict_wording_comparisons_and_limits(tree: Element, made: Record) -> None:
    """Each item shows its wording, verdict, comparisons with values, limits with source and origin."""
    titles = {entry["id"]: entry["text"] for entry in made.checklist["items"]}
    rows = {b.get("id"): d for d in elements(tree) if has_class(d, "it") for b in d if has_class(b, "b")}
    for item in made.items:
        shown = text(rows[item["item"]])
        assert re.sub(r"`|\*\*", "", titles[item["item"]]) in shown
        assert item["verdict"].replace("_", " ") in shown
        for outcome in item["outcomes"]:
            for comparison in outcome["comparisons"]:
                assert comparison["values"] in shown
                assert comparison["expression"] in shown
            for limit in outcome["limits"]:
                assert f"{limit['name']} = {limit['value']} {limit['unit']}" in shown
                assert limit["source"] in shown
                assert ("default" if limit["origin"] == "default" else f"set in {limit['origin']}") in shown
            assert f"{outcome['file']}:{outcome['line']}" in shown
            assert f"pytest {outcome['test']} --target prod --allow burst,load" in shown


def test_a_pass_after_a_retry_shows_every_attempt(tree: Element) -> None:
    """An item that passed at the second attempt shows the first one's failure."""
    assert "failed: connection reset by 203.0.113.20:443" in text(
        by_id(tree, "post_deploy.functional.health")
    )


def test_sections_come_in_their_order(tree: Element) -> None:
    """The eleven sections stand in the order that the documentation promises."""
    sections = [node.get("id") for node in elements(tree) if name(node) == "section"]
    assert sections == (
        "decision changed blocking counts items claims signoffs observations coverage verify data".split()
    )


def test_the_decision_names_rule_identity_standins_and_changes(
    tree: Element, page: str, made: Record
) -> None:
    """The head of the page says what was judged, what came out, and what is not real."""
    head = text(next(node for node in elements(tree) if name(node) == "header"))
    assert "token-service 1.4.2 on prod" in head
    for wanted in (
        "9f2c41e7d8a5",
        "7c4c0a1de5b0",
        made.release["contract"],
        "jon@example.com",
        "ci-runner-7",
    ):
        assert wanted in head
    decision = text(by_id(tree, "decision"))
    for wanted in (
        "NO-GO",
        made.decision["sentence"],
        made.decision["rule"],
        "explorer (Etherscan",
        "2 newly failing",
    ):
        assert wanted in decision
    assert text(next(node for node in elements(tree) if name(node) == "title")).startswith("NO-GO")


def test_only_red_items_are_open(tree: Element, page: str) -> None:
    """Failed and broken items are open when the page is opened, all others closed."""
    items = [node for node in elements(tree) if has_class(node, "it") and not has_class(node, "ob")]
    for node in items:
        assert ("open" in attributes(node)) == (has_class(node, "v-failed") or has_class(node, "v-error"))


def test_claims_stand_soonest_expiry_first_with_their_problems(tree: Element) -> None:
    """The claims section is ordered by expiry and says why a claim does not count."""
    claims = text(by_id(tree, "claims"))
    dates = re.findall(r"until (\d{4}-\d{2}-\d{2} [\d:]+)", claims)
    assert dates == sorted(dates)
    assert len(dates) == 6
    assert "Does not count: expired on 2026-11-21" in claims


def test_observations_show_facts_or_why_not_and_the_ledger(tree: Element, made: Record) -> None:
    """Each probe stands once with its facts in words or its reason, and all requests are listed."""
    for seen in made.observations:
        shown = text(by_id(tree, f"probe.{seen['probe']}"))
        assert (seen["digest"][:12] or seen["detail"]) in shown
    assert "7.64 GiB (8203534336 bytes)" in text(by_id(tree, "probe.host"))
    assert "no [grafana] in targets/prod.toml; add url" in text(by_id(tree, "probe.grafana"))
    observed = text(by_id(tree, "observations"))
    assert "450 requests in all." in observed
    assert "Etherscan, built from its documented responses" in text(by_id(tree, "probe.explorer"))


def test_every_plot_has_words_for_it(tree: Element) -> None:
    """Each of the six plots is a drawing, which is not read out, and a caption; bars stand in their table."""
    figures = [node for node in elements(tree) if name(node) == "figure"]
    assert len(figures) == 6
    for node in figures:
        drawings = [child for child in elements(node) if name(child) == "svg"]
        assert drawings
        assert {drawing.get("aria-hidden") for drawing in drawings} == {"true"}
        (caption,) = [child for child in elements(node) if name(child) == "figcaption"]
        assert len(text(caption)) > 30
        rows = [child for child in elements(node) if name(child) == "tr"]
        assert len(drawings) in (1, len(rows))


def test_a_page_without_a_baseline_or_with_a_bad_one_says_so_in_words() -> None:
    """None, missing, corrupt and older baselines are each said in words (R17)."""
    for state, sentence in (
        ("none", ""),
        ("missing", "old/evidence.json: cannot be read (No such file or directory)"),
        ("corrupt", "old/evidence.json: not JSON"),
        ("older", "old/evidence.json: schema 'deploycheck/0' is not 'deploycheck/1'"),
    ):
        tree = parsed(html.render(record(baseline={"state": state, "sentence": sentence})))
        wanted = sentence or "No baseline was given, so there is nothing to compare with"
        assert wanted in text(by_id(tree, "changed"))
        assert wanted in text(by_id(tree, "decision"))


def test_a_record_of_nothing_still_makes_a_page() -> None:
    """A run without items, observations and claims is said to be just that."""
    made = record(claims=(), overrides={}, gates=())
    empty = Record(**{**vars(made), "items": (), "observations": (), "requests": (), "selection": ()})
    tree = parsed(html.render(empty))
    assert "No item was judged." in text(by_id(tree, "items"))
    assert "Nothing was looked at." in text(by_id(tree, "observations"))
    assert "No request was sent." in text(by_id(tree, "observations"))
    assert "Nobody claimed anything" in text(by_id(tree, "claims"))


def test_a_record_with_bare_sections_still_makes_a_page() -> None:
    """Optional keys may be missing: an old or cut-off run is shown, not refused."""
    made = record()
    bare = Record(
        **{
            **vars(made),
            "run": {"id": "r1", "started_at": "2026-11-24T04:02:10+00:00"},
            "release": {},
            "tool": {},
            "baseline": {},
            "coverage": {},
        }
    )
    assert "(version not stated) on prod" in text(parsed(html.render(bare)))


def test_sizes_stay_small() -> None:
    """125 items with evidence take at most 400 kB and 60 kB gzipped; 1,000 items at most 3 MB (R1)."""
    page = html.render(record()).encode()
    assert len(page) <= 400_000
    assert len(gzip.compress(page)) <= 60_000
    assert len(html.render(record(1000)).encode()) <= 3_000_000


def test_many_facts_stay_in_the_evidence_file(tmp_path: Path) -> None:
    """Heavy facts are shown in words and embedded by their digests, which is enough for a baseline (R1)."""
    made = record(23)
    facts = {"rows": [{"path": f"/{n}", "body": "x" * 60} for n in range(800)]}
    heavy = {**made.observations[0], "facts": facts}
    big = Record(
        **{**vars(made), "observations": [heavy, *made.observations[1:]], "selection": made.selection[:5]}
    )
    page = tmp_path / "report.html"
    page.write_text(html.render(big))
    read = records.read(page)
    assert [seen["facts"] for seen in read.observations] == [None] * len(made.observations)
    assert [seen["digest"] for seen in read.observations] == [seen["digest"] for seen in made.observations]
    assert [item["item"] for item in read.items] == [item["item"] for item in made.items]
    assert [box["id"] for box in read.checklist["items"]] == made.selection[:5]
    assert {**records.compare(big, read), "sentence": ""} == {**records.compare(big, big), "sentence": ""}
    shown = text(by_id(parsed(page.read_text()), "data"))
    assert hashlib.sha256(dumps(big).encode()).hexdigest() in shown
    with pytest.raises(records.RecordError, match=r"report\.html: leaves the facts to evidence\.json"):
        records.read(page, facts=True)
    small = tmp_path / "small.html"
    small.write_text(html.render(made))
    assert records.read(small, facts=True).to_json() == made.to_json()


def test_a_huge_page_cuts_its_excerpts_with_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, excerpts are cut short and name their size and sha256 (R1)."""
    made = record()
    word = "w" * 7000
    facts = {**made.observations[0], "facts": {"log": word}}
    big = Record(**{**vars(made), "observations": [facts, *made.observations[1:]]})
    assert word in html.render(big).split("deploycheck-data")[0]
    monkeypatch.setattr(html, "LARGEST_PAGE", 300_000)
    shown = text(by_id(parsed(html.render(big)), "probe.host"))
    assert word[:513] not in shown
    assert f"truncated, 7000 bytes, sha256 {hashlib.sha256(word.encode()).hexdigest()}" in shown


def test_a_word_of_a_megabyte_is_cut_wherever_it_stands() -> None:
    """A 1 MB word in a title, a message, a comparison, a fact or a detail is bounded in the page (R8)."""
    made = record().to_json()
    word = "w" * 1_000_000
    made["checklist"]["items"][0]["text"] = word
    made["items"][0]["sentence"] = word
    made["items"][0]["outcomes"][0]["message"] = word
    made["items"][0]["outcomes"][0]["comparisons"][0]["values"] = word
    made["observations"][0]["facts"]["log"] = word
    made["observations"][-1]["detail"] = word
    made["release"]["version"] = word
    made["run"]["command"] = word
    page = html.render(Record(**made))
    assert len(page.split('id="deploycheck-data">')[0]) < 700_000
    noted = page.count("truncated, 1000000 bytes, sha256")  # not `in page`: pytest would explain a megabyte
    assert noted >= 5
    longest = max(map(len, re.findall("w+", page.split('id="deploycheck-data">')[0])))
    assert longest <= 8_192


def test_bytes_do_not_depend_on_the_machine(tmp_path: Path, page: str, made: Record) -> None:
    """The page is byte-equal under other time zones, locales and hash seeds (R13)."""
    script = (
        "import hashlib, sys; from pytest_deploycheck.record import read; from pathlib import Path;"
        "from pytest_deploycheck.reports import html, markdown, statement;"
        "r = read(Path(sys.argv[1]));"
        "print(*(hashlib.sha256(t.encode()).hexdigest() for t in"
        " (html.render(r), markdown.render(r), statement.render(r, {}))))"
    )
    evidence = tmp_path / "evidence.json"
    evidence.write_text(dumps(made))
    said = set()
    for zone, locale, seed in (
        ("UTC", "C", "0"),
        ("Pacific/Auckland", "C.UTF-8", "1"),
        ("America/Caracas", "POSIX", "7"),
    ):
        environment = {**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script, str(evidence)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1
    assert hashlib.sha256(html.render(made).encode()).hexdigest() in said.pop()


def test_templates_of_others_are_not_evaluated(evil_page: str) -> None:
    """Braces in strings stay braces (R8)."""
    page = evil_page
    assert "{{ 7*7 }}{% raw %}{# x #}" in page
    assert ">49<" not in page.split('id="items"')[0]


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://ci.example.com/runs/1?a=b&c", True),
        ("http://127.0.0.1:8080/", True),
        ("ftp://files.example.com/x", False),
        ("javascript://example.com/%0aalert(1)", False),
        ("data:text/html,x", False),
        ("//example.com/x", False),
        ("https:///no-host", False),
        ("https://[broken", False),
        ("https://example.com/a b", False),
        ('https://example.com/"x', False),
        ("https://example.com/\u202egnp", False),
        ("https://example.com/" + "x" * 3000, False),
        ("", False),
    ],
)
def test_only_plain_web_addresses_become_links(address: str, linked: bool) -> None:
    """Addresses with http(s), a host and nothing odd in them are linked; all else is shown as text (R8)."""
    assert html.web(address) == (address if linked else "")
