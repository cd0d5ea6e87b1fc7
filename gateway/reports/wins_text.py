"""Wins as documents that people pass on: Markdown, and a page of HTML that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Wins: what AI helped to finish</title>
<style>
 :root {{ color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }}
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2.5rem auto;
   padding: 0 1rem; }}
 h1 {{ font-size: 1.6rem; margin-bottom: .2rem; }} h2 {{ font-size: 1.15rem; margin-top: 2.2rem; }}
 p.about, footer {{ opacity: .75; }} footer {{ font-size: .85rem; margin-top: 2.5rem; }}
 div.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; width: 100%; }}
 th, td {{ text-align: left; padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line);
   vertical-align: top; }}
 th {{ font-weight: 600; white-space: nowrap; }} td.n, th.n {{ text-align: right;
   font-variant-numeric: tabular-nums; white-space: nowrap; }}
 small {{ opacity: .75; }} code {{ font-size: .8rem; overflow-wrap: anywhere; }}
</style></head><body>
{body}
</body></html>
"""
_MARKDOWN: Final = str.maketrans({each: "\\" + each for each in "\\`*_{}[]<>()#+!|~"})
NOTHING: Final = "Nothing was accepted in this period that AI was used for."
_ABOUT: Final = (
    "Tasks that somebody other than their author accepted, and that AI was used for. Cost is of"
    " all of a task's calls; hours are from its first call to its acceptance."
)


def markdown(found: Mapping[str, Any]) -> str:
    """Return wins as Markdown."""
    lines = ["# Wins: what AI helped to finish", "", _ABOUT, "", _period(found), ""]
    if not found["wins"]:
        lines += [NOTHING, ""]
    for group in found["use_cases"]:
        name = _text(group["use_case"] or "no use case named")
        lines += [f"## {name}", "", _sum(group), ""]
        lines += [
            "| Task | Team | Accepted | Cost (USD) | Hours | Evidence |",
            "|---|---|---|--:|--:|---|",
        ]
        lines += [_line(row) for row in found["wins"] if row["use_case"] == group["use_case"]]
        lines.append("")
    evidence = found["evidence"]
    source = f"From {evidence['entries']} entries, tree `{evidence['root']}`."
    lines += [f"{source} Check it with `{evidence['reproduce']}`.", "", found["unproven"]]
    return "\n".join(lines) + "\n"


def html(found: Mapping[str, Any]) -> str:
    """Return wins as one page of HTML, without scripts."""
    parts = [
        "<h1>Wins: what AI helped to finish</h1>",
        f'<p class="about">{escape(_ABOUT)}<br>{escape(_period(found))}</p>',
    ]
    if not found["wins"]:
        parts.append(f"<p>{NOTHING}</p>")
    for group in found["use_cases"]:
        parts.append(f"<h2>{escape(group['use_case'] or 'no use case named')}</h2>")
        parts.append(f"<p>{escape(_sum(group))}</p>")
        rows = [row for row in found["wins"] if row["use_case"] == group["use_case"]]
        parts.append(_table(rows))
    evidence = found["evidence"]
    parts.append(
        f"<footer><p>From {evidence['entries']} entries, tree <code>{escape(evidence['root'])}"
        f"</code>. Check it with<br><code>{escape(evidence['reproduce'])}</code></p>"
        f"<p>{escape(found['unproven'])}</p></footer>"
    )
    return _PAGE.format(body="\n".join(parts))


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = (
        "<tr><th>Task</th><th>Team</th><th>Accepted</th><th class=n>Cost (USD)</th>"
        "<th class=n>Hours</th><th>Evidence</th></tr>"
    )
    body = "".join(
        f"<tr><td>{_linked(row['url'], row['task_id'])}<br>{escape(row['title'])}</td>"
        f"<td>{escape(row['team'])}</td>"
        f"<td>{row['accepted_at'][:10]}<br><small>{row['state']}</small></td>"
        f"<td class=n>{row['cost_usd']}</td><td class=n>{row['hours']}</td>"
        f"<td>{_evidence_html(row)}</td></tr>"
        for row in rows
    )
    return f'<div class="wide"><table>{head}{body}</table></div>'


def _evidence_html(row: Mapping[str, Any]) -> str:
    links = [_linked(link, _short(link)) for link in row["evidence"]]
    return "<br>".join([*links, f"<small>{escape(_attested(row))}</small>"])


def _linked(url: str, text: str) -> str:
    if not url.startswith(("https://", "http://")):
        return escape(text)
    return f'<a href="{escape(url)}" rel="noreferrer">{escape(text)}</a>'


def _line(row: Mapping[str, Any]) -> str:
    task = _text(row["task_id"])
    if _is_link(row["url"]):
        task = f"[{task}](<{row['url']}>)"
    links = [f"[{_text(_short(link))}](<{link}>)" for link in row["evidence"] if _is_link(link)]
    title = f" {_text(row['title'])}" if row["title"] else ""
    return (
        f"| {task}{title} | {_text(row['team'])} | {row['accepted_at'][:10]}, {row['state']} |"
        f" {row['cost_usd']} | {row['hours']} | {'; '.join([*links, _attested(row)])} |"
    )


def _attested(row: Mapping[str, Any]) -> str:
    entries = ", ".join(map(str, row["entries"]))
    others = row["accepted_by_others"]
    people = "1 other person" if others == 1 else f"{others} other people"
    return f"accepted by {people}, entry {entries}" if entries else "in an archive"


def _sum(group: Mapping[str, Any]) -> str:
    tasks = "1 task" if group["tasks"] == 1 else f"{group['tasks']} tasks"
    return (
        f"{tasks} for {group['cost_usd']} USD ({group['cost_per_task']} each, {group['calls']}"
        f" calls), median {group['median_hours']:g} hours"
    )


def _period(found: Mapping[str, Any]) -> str:
    first, last = found["period"]["first"], found["period"]["last"]
    span = f"From {first}" if first else "From the first"
    return f"{span} to {last or found['as_of'][:10]}, as of {found['as_of']}."


def _is_link(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not set(url) & set("<>\n| ")


def _short(link: str) -> str:
    return link.removeprefix("https://").removeprefix("http://")


def _text(text: str) -> str:
    """Return text that Markdown shows as it is, in one cell."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown.translate(_MARKDOWN)
