"""HTML without scripts: nothing is fetched from elsewhere, so it works in a closed network."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse

from api.http.problem import TITLES

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a;background:#fff}
pre{background:#f2f4f6;padding:.75rem;overflow:auto;font-size:.85rem}
code{font-size:.9em}table{border-collapse:collapse}td,th{padding:.25rem 1rem .25rem 0;
text-align:left}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{margin-top:2rem}
.verb{font-weight:700;color:#0b5394}
@media(prefers-color-scheme:dark){body{background:#15181b;color:#e6e6e6}pre{background:#22272b}
a{color:#8ab4f8}.verb{color:#8ab4f8}}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def html_page(title: str, body: str) -> HTMLResponse:
    """A whole page; `title` is text, `body` is HTML."""
    content = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    return HTMLResponse(content, headers=_HEADERS)


def docs_page(document: Mapping[str, Any], base: str) -> HTMLResponse:
    """The OpenAPI document, to be read by people.

    Args:
        document: As `/openapi.json` has it.
        base: The address that the examples use.
    """
    parts = [
        f"<h1>{html.escape(document['info']['title'])}</h1>",
        f"<p>{html.escape(document['info']['description'])}</p>",
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>.</p>',
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>For {html.escape(tag['name'])}</h2>")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_operation(path, method, operation, base))
    codes = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{html.escape(title)}</td></tr>'
        for code, title in TITLES.items()
    )
    parts.append(f"<h2>Error codes</h2><table>{codes}</table>")
    return html_page(document["info"]["title"], "".join(parts))


def _operation(path: str, method: str, operation: Mapping[str, Any], base: str) -> str:
    verb, route = f'<span class="verb">{method.upper()}</span>', html.escape(path)
    parts = [
        f'<h3 id="{operation["operationId"]}">{verb} <code>{route}</code></h3>',
        f"<p>{html.escape(operation['summary'])}.</p>",
        f"<p>{html.escape(operation.get('description', ''))}</p>",
    ]
    parameters = operation.get("parameters", ())
    of_path = {each["name"]: each["example"] for each in parameters if each["in"] == "path"}
    where = base + path.format_map(of_path)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if not content:
        parts.append(f"<pre>curl {html.escape(where)}</pre>")
    for example in content.get("examples", {}).values():
        text = json.dumps(example["value"])
        command = f"curl {where} -H 'content-type: application/json' -d '{text}'"
        parts.append(f"<pre>{html.escape(command)}</pre>")
    for status, response in operation["responses"].items():
        answer = response.get("content", {}).get("application/json", {})
        if "example" in answer:
            shown = html.escape(json.dumps(answer["example"], indent=1))
            parts.append(f"<p>{status}:</p><pre>{shown}</pre>")
    failures = [status for status in operation["responses"] if status >= "400"]
    if failures:
        parts.append(f"<p>Problems: {', '.join(failures)}.</p>")
    return "".join(parts)
