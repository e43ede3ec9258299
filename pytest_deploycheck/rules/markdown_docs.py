"""Documents in Markdown: headings, sections, code blocks, links and front matter, and what they lack.

    page = parse(text)                       # CommonMark's common part: ATX and Setext headings, fences, links
    page.headings                            # (level, title, slug) in the order of the page
    page.section("rollback")                 # the text below the first heading that says so, deeper ones included
    page.lacking(("prerequisites", "owner|responsible"))   # required headings that are absent or have no content
    page.meta                                # front matter (`---`), {"reviewed": "2026-11-01", "rpo_h": "24"}, all text
    page.commands                            # lines of shell code blocks, without prompts and comments
    page.dead_anchors(), page.targets()      # links within the page that lead nowhere; where the others lead
    page.undone                              # words such as TODO or TBD that say that a page is not finished

A required heading is given as alternatives, "owner|responsible|maintainer"; a heading, or a bold label at the
beginning of a line or of a list entry (`**Owner:** devops`), says it where it holds all words of one alternative.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MARKDOWN = (".md", ".markdown")
SHELLS = ("sh", "bash", "shell", "console", "shell-session", "zsh", "terminal")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$")
_ATX = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-{3,})\s*$")
_LABEL = re.compile(
    r"^\s*(?:[-*+]\s+|\d+[.)]\s+|\|\s*)?(?:\*\*|__)([^*_]{2,60}?):?(?:\*\*|__)\s*[:|.]?\s*(.*)$"
)
_LINK = re.compile(r"(?<!\\)\[(?P<text>[^\]\[]*)\]\(\s*<?(?P<to>[^)\s>]+)>?(?:\s+[\"'(][^)]*)?\)")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]^][^\]]*\]:\s*<?(\S+?)>?(?:\s|$)")
_AUTOLINK = re.compile(r"<(https?://[^>\s]+)>")
_CODE_SPAN = re.compile(r"(?<!`)(`{1,4})(?!`)(.+?)(?<!`)\1(?!`)")
LINE_MAX = 1500
"""Characters of a line that are read: patterns that go back and forth must not be given more."""
_UNDONE = re.compile(
    r"\b(?:TODO|TBD|FIXME|XXX|WIP)\b|\b(?:to be (?:done|written|defined|determined|completed)|coming soon|lorem ipsum)\b",
)
_META = re.compile(r"^([A-Za-z][\w .-]*):\s*(.*?)\s*$")


@dataclass(frozen=True)
class Heading:
    """A heading: its level from 1, its title without markup, its anchor as GitHub makes it, and its line from 1."""

    level: int
    title: str
    slug: str
    line: int


@dataclass(frozen=True)
class Code:
    """A code block: its language in lower case, its text, and the line of its fence."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A parsed page.

    lines: all lines, those of code blocks and front matter emptied in `prose`.  meta: the front matter's plain
    `key: value` lines, keys in lower case.
    """

    lines: tuple[str, ...]
    prose: tuple[str, ...]
    headings: tuple[Heading, ...]
    code: tuple[Code, ...]
    labels: tuple[tuple[str, str], ...]
    front: tuple[tuple[str, str], ...]

    @property
    def meta(self) -> dict[str, str]:
        """The front matter."""
        return dict(self.front)

    @property
    def title(self) -> str:
        """The first heading, or nothing."""
        return self.headings[0].title if self.headings else ""

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Where all links and images lead, in the order of the page; those in code are none."""
        found: list[str] = []
        for line in self.prose:
            text = _CODE_SPAN.sub("", line)
            found += [match["to"] for match in _LINK.finditer(text)]
            found += _AUTOLINK.findall(text)
            found += _REFERENCE.findall(text)
        return tuple(dict.fromkeys(found))

    @property
    def commands(self) -> tuple[str, ...]:
        """Command lines of the shell's code blocks; continued lines are joined."""
        return tuple(line for block in self.code for line in command_lines(block))

    @property
    def undone(self) -> tuple[str, ...]:
        """What says that the page is not finished, code aside."""
        return tuple(m.group() for line in self.prose for m in _UNDONE.finditer(_CODE_SPAN.sub("", line)))

    @property
    def words(self) -> int:
        """How many words of prose there are below the headings."""
        return sum(len(re.findall(r"\w+", line)) for line in self.prose if not _ATX.match(line))

    def find(self, wanted: str) -> Heading | None:
        """Return the first heading that says what is wanted (alternatives by `|`)."""
        return next((one for one in self.headings if says(one.title, wanted)), None)

    def section(self, wanted: str) -> str | None:
        """Return the text below the first heading, or after the first label, that says it; None without one."""
        heading = self.find(wanted)
        if heading is not None:
            return self.below(heading)
        return next((text for label, text in self.labels if says(label, wanted)), None)

    def below(self, heading: Heading) -> str:
        """Return the text below a heading, up to the next of its level or above."""
        later = (one.line for one in self.headings if one.line > heading.line and one.level <= heading.level)
        end = next(later, len(self.lines) + 1)
        return "\n".join(self.lines[heading.line : end - 1]).strip("\n =-").strip()

    def part(self, heading: Heading) -> Page:
        """Return what is below a heading as a page of its own."""
        return parse(self.below(heading))

    def lacking(self, required: Iterable[str]) -> tuple[str, ...]:
        """Return the required sections that are absent, or have nothing below them; front matter counts too."""
        meta = self.meta
        return tuple(
            wanted
            for wanted in required
            if not (self.section(wanted) or "").strip()
            and not any(says(key, wanted) and value for key, value in meta.items())
        )

    def dead_anchors(self) -> tuple[str, ...]:
        """Return links to parts of this page that do not exist."""
        known = {heading.slug for heading in self.headings} | set(
            re.findall(r"(?:id|name)=[\"']([^\"']+)", "\n".join(self.prose))
        )
        return tuple(to for to in self.links if to.startswith("#") and to[1:].lower() not in known | {""})

    def targets(self) -> tuple[str, ...]:
        """Return links that lead out of the page, without addresses of mail and telephone."""
        return tuple(to for to in self.links if not re.match(r"#|mailto:|tel:|data:", to))


def parse(text: str) -> Page:
    """Read a page; anything is a page, so nothing is refused."""
    lines = tuple(line[:LINE_MAX] for line in text.replace("\r\n", "\n").split("\n"))
    start, front = _front_matter(lines)
    prose = ["" if number < start else line for number, line in enumerate(lines)]
    code = _take_code(prose)
    headings: list[Heading] = []
    slugs: dict[str, int] = {}
    for number, line in enumerate(prose):
        level, title = _heading(prose, number, line)
        if not level:
            continue
        title = plain(title)
        slug = slug_of(title)
        count = slugs.get(slug, 0)
        slugs[slug] = count + 1
        headings.append(Heading(level, title, f"{slug}-{count}" if count else slug, number + 1))
    labels = tuple(
        (plain(found[1]), found[2].strip()) for line in prose if (found := _LABEL.match(line)) is not None
    )
    return Page(lines, tuple(prose), tuple(headings), tuple(code), labels, front)


def says(text: str, wanted: str) -> bool:
    """Whether a text holds all words of one of the alternatives of what is wanted, in any form of theirs."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return any(
        all(any(word.startswith(part) for word in words) for part in re.findall(r"[a-z0-9]+", one.lower()))
        for one in wanted.split("|")
        if one.strip()
    )


def plain(text: str) -> str:
    """Return a line without its inline markup."""
    text = _LINK.sub(lambda match: match["text"], text)
    return re.sub(r"[*_`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}|(?<=\S)_{1,3}(?=\s|$)", "", text).strip()


def slug_of(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def command_lines(block: Code) -> tuple[str, ...]:
    """Return the commands of a block; without a language, or of another than a shell's, none.

    In a console's block, where some lines have a prompt, the others are output.
    """
    if block.language not in SHELLS:
        return ()
    text = re.sub(r"\\\n\s*", " ", block.text)
    lines = [line.strip() for line in text.split("\n")]
    prompted = [line[2:].strip() for line in lines if re.match(r"[$#%] \S", line)]
    console = block.language in ("console", "shell-session", "terminal")
    if prompted and (console or any(line.startswith("$ ") for line in lines)):
        return tuple(prompted)
    return tuple(line for line in lines if line and not line.startswith("#"))


def _front_matter(lines: tuple[str, ...]) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Return the number of the first line after the front matter, and its plain entries."""
    if not lines or lines[0].strip() != "---":
        return 0, ()
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() in ("---", "...")), 0)
    found = (_META.match(line) for line in lines[1:end])
    return (end + 1 if end else 0), tuple(
        (entry[1].lower(), entry[2].strip("\"'")) for entry in found if entry is not None
    )


def _take_code(prose: list[str]) -> list[Code]:
    """Return the fenced blocks, and empty their lines; a fence that is never closed runs to the end."""
    found: list[Code] = []
    number = 0
    while number < len(prose):
        opened = _FENCE.match(prose[number])
        if opened is None:
            number += 1
            continue
        mark = opened[1]
        close = re.compile(rf"^ {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}\s*$")
        end = next((at for at in range(number + 1, len(prose)) if close.match(prose[at])), len(prose))
        found.append(Code(opened[2].lower(), "\n".join(prose[number + 1 : end]), number + 1))
        for at in range(number, min(end + 1, len(prose))):
            prose[at] = ""
        number = end + 1
    return found


def _heading(prose: list[str], number: int, line: str) -> tuple[int, str]:
    """Return level and title of the heading at a line; level 0 where there is none."""
    atx = _ATX.match(line)
    if atx is not None:
        return len(atx[1]), atx[2]
    below = _SETEXT.match(prose[number + 1]) if number + 1 < len(prose) else None
    text = line.strip()
    if below is None or not text or re.match(r"[-*+>|]|\d+[.)]\s|#", text):
        return 0, ""
    return (1 if below[1][0] == "=" else 2), text
