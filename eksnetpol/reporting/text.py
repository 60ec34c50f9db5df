"""For the terminal: the verdict first, then what is wrong and what to do, then what could not be told.

With colour off the page is plain ASCII, so that it survives any pipe, log or mail.
"""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

from eksnetpol.model.findings import CheckResult, Disposition, JudgedFinding, Report, Severity, Verdict
from eksnetpol.reporting import view
from eksnetpol.reporting.escape import visible
from eksnetpol.reporting.options import Options
from eksnetpol.reporting.shell import fold

NARROWEST = 20
"""Below this many columns nothing can be read; the page stays this wide."""

_FINDINGS_SHOWN, _COMMANDS_SHOWN, _SUBJECTS_SHOWN, _CHECKS_SHOWN = 5, 3, 5, 6
_COMMAND_INDENT = 7
_DEEPEST_INDENT_OF_WIDTH = 4

_VERDICTS = {Verdict.READY: "bold green", Verdict.BLOCKED: "bold red", Verdict.UNDETERMINED: "bold yellow"}
_SEVERITIES = {Severity.BLOCKER: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "cyan"}


def write(report: Report, options: Options) -> str:
    """Return *report* as text of at most ``options.width`` columns, ``NARROWEST`` at least."""
    page = _Page(options)
    head = Text.assemble((report.verdict.value.upper(), _VERDICTS[report.verdict]), ": ")
    head.append(page.plain(f"{view.sentence(report)}: {view.counts(report)}."))
    page.put(head)
    page.put(Text(page.plain(view.circumstances(report)), "dim"))
    _failed(page, report)
    _errored(page, report)
    _undetermined(page, report)
    _settled(page, report)
    _passed(page, report)
    _skipped(page, report)
    _notes(page, report)
    return page.text()


class _Page:
    """Lines that keep to the width, and to ASCII where colour is off."""

    def __init__(self, options: Options) -> None:
        self.width = max(options.width, NARROWEST)
        self.color = options.color
        self.verbose = options.verbose
        self._buffer = StringIO()
        self._console = Console(
            file=self._buffer,
            width=self.width,
            force_terminal=options.color,
            color_system="standard" if options.color else None,
            no_color=not options.color,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
            soft_wrap=True,
        )

    def plain(self, text: str) -> str:
        """Return *text* as this page may show it, on one line."""
        return visible(" ".join(text.split("\n")), ascii_only=not self.color)

    def glyph(self, fancy: str, ascii_: str) -> str:
        """Return the sign for a line."""
        return fancy if self.color else ascii_

    def blank(self) -> None:
        """Leave a line free."""
        self._emit(Text())

    def heading(self, text: str) -> None:
        """Start a part of the page."""
        self.blank()
        self.put(Text(text, "bold"))

    def put(self, text: Text, indent: int = 0, sign: str = "", style: str = "") -> None:
        """Print *text* from column *indent* on, its first line after *sign*, the others under it."""
        indent = min(indent, self.width // _DEEPEST_INDENT_OF_WIDTH)
        first = Text(" " * indent).append(f"{sign} ", style) if sign else Text(" " * indent)
        room = self.width - first.cell_len
        for number, line in enumerate(text.wrap(self._console, room)):
            lead = first if number == 0 else Text(" " * first.cell_len)
            self._emit(lead + line)

    def say(self, text: str, indent: int = 0, sign: str = "", style: str = "") -> None:
        """Print somebody's words."""
        self.put(Text(self.plain(text), style), indent, sign, style)

    def command(self, command: str) -> None:
        """Print a command, cut in such a way that it can be copied and pasted."""
        for line in fold(visible(command, keep="\n", ascii_only=not self.color), self.width, _COMMAND_INDENT):
            self._emit(Text(line, "bold"))

    def _emit(self, line: Text) -> None:
        if self.color:
            self._console.print(line)
        else:
            self._buffer.write(f"{line.plain}\n")

    def text(self) -> str:
        """Return the page, without blanks at the ends of lines."""
        return "".join(f"{line.rstrip()}\n" for line in self._buffer.getvalue().splitlines())


def _failed(page: _Page, report: Report) -> None:
    results = view.failed(report)
    if not results:
        return
    page.heading("What stands in the way" if report.verdict is Verdict.BLOCKED else "What was found")
    for number, result in enumerate(results):
        if number:
            page.blank()
        worst = min((f.severity for f in result.open_findings), key=lambda s: s.rank)
        style = _SEVERITIES[worst]
        title = Text.assemble((f"{worst.value}: ", style), (page.plain(result.title), "bold"))
        title.append(f"  [{page.plain(result.id)}]", "dim")
        page.put(title, sign=page.glyph("✗", "x"), style=style)
        _advice(page, result)
        if result.docs:
            page.say(f"see {result.docs}", 4, style="dim")


def _advice(page: _Page, result: CheckResult) -> None:
    everything = len(result.findings)
    limit, commands = (everything, everything) if page.verbose else (_FINDINGS_SHOWN, _COMMANDS_SHOWN)
    for advice in view.advice(result, limit=limit, commands=commands):
        for judged in advice.shown:
            _finding(page, judged)
        if advice.more:
            page.say(f"(+{advice.more} more; -o json shows all)", 4, style="dim")
        if advice.remedy:
            page.say(advice.remedy, 4, page.glyph("→", "->"), "green")
        for command in advice.commands:
            page.command(command)
        if advice.more_commands:
            page.say(f"(+{view.plural(advice.more_commands, 'more command')}; -o json shows all)", 7, style="dim")


def _finding(page: _Page, judged: JudgedFinding) -> None:
    line = Text.assemble((page.plain(str(judged.finding.subject)), "bold"), f": {page.plain(judged.finding.message)}")
    if judged.origin:
        line.append(page.plain(f" ({judged.origin.file}:{judged.origin.line})"), "dim")
    page.put(line, 4)
    if judged.finding.evidence:
        page.say("seen: " + "; ".join(judged.finding.evidence), 6, style="dim")


def _errored(page: _Page, report: Report) -> None:
    results = view.errored(report)
    if results:
        page.heading("What broke in eksnetpol itself")
    for result in results:
        page.say(f"{result.title}  [{result.id}]", sign="!", style="bold magenta")
        page.say(result.reason, 4)


def _undetermined(page: _Page, report: Report) -> None:
    gaps = view.gaps(report)
    if gaps:
        page.heading("What could not be determined")
    for gap in gaps:
        page.say(gap.reason, sign="?", style="yellow")
        if gap.subjects:
            shown = gap.subjects if page.verbose else gap.subjects[:_SUBJECTS_SHOWN]
            more = len(gap.subjects) - len(shown)
            page.say(", ".join(map(str, shown)) + (f" (+{more} more; -o json shows all)" if more else ""), 4)
        if gap.ask:
            page.say(gap.ask, 4, page.glyph("→", "->"), "green")
        checks = gap.checks if page.verbose else gap.checks[:_CHECKS_SHOWN]
        more = len(gap.checks) - len(checks)
        open_ = ", ".join(f"{check.id} ({check.severity.value})" for check in checks)
        page.say(f"leaves open: {open_}" + (f" (+{more} more; -o json shows all)" if more else ""), 4, style="dim")


def _settled(page: _Page, report: Report) -> None:
    settled = view.settled(report)
    if settled:
        page.heading("Set aside")
    for item in settled:
        how = "in the baseline" if item.disposition is Disposition.BASELINE else item.disposition.value
        reason = f": {item.reason}" if item.disposition is not Disposition.BASELINE else ""
        count = f"{len(item.findings)} " if item.findings else ""
        page.say(f"{item.check.id}: {count}{how}{reason}", sign="~", style="dim")
        for judged in item.findings if page.verbose else ():
            page.say(f"{judged.finding.subject}: {judged.finding.message}", 4)


def _passed(page: _Page, report: Report) -> None:
    families = view.passed(report)
    if families:
        page.heading("Passed")
    for family in families:
        name = family.name.replace("_", " ")
        page.say(f"{name}: {view.plural(len(family.checks), 'check')}", sign=page.glyph("✓", "+"), style="green")
        for result in family.checks if page.verbose else ():
            page.say(f"{result.title}  [{result.id}]", 4)
            for seen in result.evidence:
                page.say(f"seen: {seen}", 6, style="dim")


def _skipped(page: _Page, report: Report) -> None:
    results = view.skipped(report)
    if not results:
        return
    page.heading("Skipped")
    if not page.verbose:
        page.say(f"{view.plural(len(results), 'check')}; --verbose says why", sign="-", style="dim")
        return
    for result in results:
        page.say(f"{result.id}: {result.reason}", sign="-", style="dim")


def _notes(page: _Page, report: Report) -> None:
    if report.notes:
        page.heading("Notes")
    for note in report.notes:
        page.say(note, sign="*")
    if page.verbose and report.unread:
        page.heading("Not read")
        for section in report.unread:
            page.say(f"{section.name}: {section.unread.reason}", sign="-", style="dim")
    if view.failed(report):
        page.heading("Why a check matters: eksnetpol checks explain ID")
