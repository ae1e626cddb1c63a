"""Pages in Debian's Chromium, without a network: what a reader with a phone, at night, or with a keyboard gets."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_BROWSER = [
    *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-extensions"),
    *("--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
]

#: Measures the page in the frame: how far it reaches to the right, the contrast of every text with what is behind it,
#: tables whose heads have no scope, figures without a name, and what asks for the network.
_MEASURE = """
function channels(color) { return (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number) }
function light(color) {
  const part = v => { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4) }
  const [r, g, b] = channels(color); return .2126 * part(r) + .7152 * part(g) + .0722 * part(b)
}
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const color = e.ownerDocument.defaultView.getComputedStyle(e).backgroundColor
    const parts = channels(color); if (parts.length < 4 || parts[3] > .99) return color
  }
  return 'rgb(255, 255, 255)'
}
function measure(page) {
  page.querySelectorAll('details').forEach(e => e.open = true)
  const view = page.defaultView, found = {contrast: 99, where: '', texts: 0}
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || element.closest('style, title, svg')) continue
    const a = light(view.getComputedStyle(element).color), b = light(behind(element))
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
    found.texts += 1
    if (ratio < found.contrast) { found.contrast = ratio; found.where = walker.currentNode.data.trim().slice(0, 40) }
  }
  found.overflow = page.documentElement.scrollWidth - view.innerWidth
  const wide = [...page.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > view.innerWidth + 1)
  found.wide = wide.slice(0, 3).map(e => e.outerHTML.slice(0, 80))
  const cells = [...page.querySelectorAll('td:not(.left):not(.figure)')]
  const lines = e => {
    const range = page.createRange(); range.selectNodeContents(e)
    return new Set([...range.getClientRects()].map(r => r.top)).size
  }
  found.broken = cells.filter(e => !e.querySelector('svg') && lines(e) > 1).length
  found.narrow = [...page.querySelectorAll('caption, h2, h3, p')].filter(e => e.clientWidth < 200).length
  found.heads = [...page.querySelectorAll('th')].filter(e => !e.hasAttribute('scope')).length
  found.captions = [...page.querySelectorAll('table')].filter(e => !e.querySelector('caption')).length
  const named = e => e.getAttribute('aria-label') && e.querySelector('title')
  found.figures = [...page.querySelectorAll('svg')].filter(e => !named(e)).length
  found.network = [...page.querySelectorAll('[src], link[href], script')].length
  found.dark = view.matchMedia('(prefers-color-scheme: dark)').matches
  return found
}
"""


def measured(page: Path, width: int, dark: bool) -> dict[str, Any]:
    """What `_MEASURE` finds of a page in a frame of this width."""
    content = html.escape(page.read_text(), quote=True)
    frame = (
        f'<!doctype html><meta charset="utf-8"><body><iframe id="f" width="{width}" height="900" style="border:0" '
        f'srcdoc="{content}"></iframe><pre id="o"></pre><script>{_MEASURE}'
        "document.getElementById('f').addEventListener('load', e => { document.getElementById('o').textContent = "
        "JSON.stringify(measure(e.target.contentDocument)) })</script></body>"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.html"
        path.write_text(frame)
        done = _run(folder, dark, "--window-size=1600,1200", "--virtual-time-budget=5000", "--dump-dom", path.as_uri())
    found = re.search(r'<pre id="o">(.*?)</pre>', done, re.DOTALL)
    assert found is not None
    assert found[1], done[-500:]
    result: dict[str, Any] = json.loads(html.unescape(found[1]))
    return result


def screenshot(page: Path, to: Path, width: int, dark: bool, height: int = 3000) -> None:
    """A picture of the page; for people."""
    content = html.escape(page.read_text(), quote=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.html"
        path.write_text(
            f'<!doctype html><body style="margin:0"><iframe width="{width}" height="{height}" style="border:0" '
            f'srcdoc="{content}"></iframe></body>'
        )
        _run(folder, dark, f"--window-size={max(width, 500)},{height}", f"--screenshot={to}", path.as_uri())


def _run(folder: str, dark: bool, *arguments: str) -> str:
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [*_BROWSER, f"--user-data-dir={folder}/profile", scheme, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
