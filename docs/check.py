"""Reads the built site as a visitor would: links, figures, equations and the search (make docs-check).

    python docs/check.py [docs/_build/html]

Links and anchors are read from the files. Where Chromium is installed, it opens every page without any connection to
the network: every figure must load, every equation be set, and the search must find a page for each of
:data:`QUESTIONS` among its first results. Exit status 1 where something is wrong, 2 where there is no site.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

QUESTIONS = {
    "how do I install it": "install.html",
    "do I need a GPU": "gpu.html",
    "which cutoff should I choose": "choosing.html",
    "how many moments": "choosing.html",
    "what is the effective field": "conventions.html",
    "write a field of my own": "own-field.html",
    "a Hamiltonian of my own": "own-hamiltonian.html",
    "when should I not trust it": "trust.html",
    "spin-orbit coupling": "own-hamiltonian.html",
    "weak coupling": "trust.html",
    "coming from Sunny": "coming-from.html",
    "I know ubermag": "coming-from.html",
    "what does the error spins of shape mean": "questions.html",
    "error of kernel polynomials": "electrons.html",
    "growth exponent": "domain-growth.html",
    "Hall conductivity": "electrons.html",
    "how to resume an interrupted run": "restarting.html",
    "temperature schedule": "protocols.html",
    "vacancies": "disorder.html",
    "movie of spins": "interchange.html",
    "which time step": "integrators.html",
    "several processes with torchrun": "clusters.html",
    "dynamical structure factor": "spectra-and-orders.html",
    "units and signs": "conventions.html",
    "how good is good enough": "how-good.html",
    "how many labels do I need": "how-many-labels.html",
}
"""What a reader types, and the page that answers."""

FIRST = 5
"""The page is among so many first results."""
SECONDS = 600
"""So long Chromium may take for all pages."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

HARNESS = """<!doctype html><title>check</title><iframe id="frame" width="1200" height="900"></iframe>
<script type="module">
const frame = document.getElementById("frame");
const pause = ms => new Promise(done => setTimeout(done, ms));
function open(address) {
  return new Promise(done => { frame.onload = done; frame.src = address; });
}
async function read(address) {
  await open(address);
  const page = frame.contentDocument, script = page.querySelector('script[src*="mathjax"]');
  if (script) {
    for (let k = 0; k < 600 && !frame.contentWindow.MathJax?.startup?.promise; k++) await pause(20);
    await Promise.race([frame.contentWindow.MathJax?.startup?.promise, pause(20000)]);
  }
  const body = page.querySelector("article") ?? page.body, copy = body.cloneNode(true);
  copy.querySelectorAll("pre, code, script, .math").forEach(node => node.remove());
  const equations = [...body.querySelectorAll(".math")];
  return {
    pictures: [...page.images].filter(i => !i.complete || i.naturalWidth === 0).map(i => i.getAttribute("src")),
    shown: page.images.length,
    equations: equations.length,
    unset: equations.filter(e => !e.querySelector("mjx-container")).map(e => e.textContent),
    wrong: [...body.querySelectorAll('[data-mml-node="merror"]')].map(e => e.textContent),
    raw: copy.textContent.split("\\n").filter(line => /\\$\\$|\\\\(frac|sum|mathbf|langle)/.test(line)),
    wide: page.documentElement.scrollWidth - page.documentElement.clientWidth,
  };
}
async function search(question) {
  await open("/search.html?q=" + encodeURIComponent(question));
  for (let k = 0; k < 500; k++) {
    const summary = frame.contentDocument.querySelector(".search-summary")?.textContent ?? "";
    if (/finished|did not match/.test(summary)) break;
    await pause(20);
  }
  return [...frame.contentDocument.querySelectorAll("ul.search > li > a")].map(a => new URL(a.href).pathname.slice(1));
}
const { pages, questions } = await (await fetch("/check/tasks")).json();
const report = { pages: {}, questions: {} };
for (const page of pages) report.pages[page] = await read("/" + page);
for (const question of questions) report.questions[question] = await search(question);
await fetch("/check/report", { method: "POST", body: JSON.stringify(report) });
</script>"""


def main() -> int:
    """Prints what is wrong; 0 where nothing is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("site", type=Path, nargs="?", default=Path(__file__).parent / "_build" / "html")
    site = parser.parse_args().site.resolve()
    if not (site / "index.html").is_file():
        print(f"no site in {site}: run make docs", file=sys.stderr)
        return 2
    pages = pages_of(site)
    faults = broken_links(site)
    print(f"{len(pages)} pages, links and anchors read from the files")
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        print("Chromium is not installed: figures, equations and search were NOT checked", file=sys.stderr)
    else:
        report = browsed(site, browser, pages, list(QUESTIONS))
        faults += [*page_faults(report["pages"]), *search_faults(report["questions"], site)]
        shown, equations = (sum(found[name] for found in report["pages"].values()) for name in ("shown", "equations"))
        print(f"in Chromium: {shown} figures, {equations} equations, {len(QUESTIONS)} questions")
    print("\n".join(faults) or "nothing wrong")
    return 1 if faults else 0


def pages_of(site: Path) -> list[str]:
    """Pages with text of their own, by their address."""
    listed = (path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)
    return sorted(page for page in listed if page not in ("search.html", "genindex.html", "py-modindex.html"))


def broken_links(site: Path) -> list[str]:
    """Links, pictures and scripts inside the site that lead to no file or to no anchor of a page."""
    texts = {path: path.read_text() for path in site.rglob("*.html")}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    broken = []
    for path, text in texts.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"[a-z]+:|//", link):
                continue
            name, anchor = urldefrag(unquote(link))
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            known = anchor in anchors.get(target, ()) or not anchor or target.suffix != ".html"
            if not target.exists() or not known:
                broken.append(f"{path.relative_to(site)}: broken link {link}")
    return broken


def page_faults(pages: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with pages as the browser has them."""
    names = {
        "pictures": "figure that does not load",
        "unset": "equation that is not set",
        "wrong": "TeX that MathJax does not know",
        "raw": "TeX in the text",
    }
    faults = [
        f"{page}: {name}: {what}" for page, found in pages.items() for k, name in names.items() for what in found[k]
    ]
    return faults + [f"{page}: {f['wide']} pixels wider than the window" for page, f in pages.items() if f["wide"] > 0]


def search_faults(found: dict[str, list[str]], site: Path) -> list[str]:
    """Questions whose page is not among the first results."""
    faults = []
    for question, results in found.items():
        first = [result.partition("#")[0] for result in results[:FIRST]]
        if QUESTIONS[question] not in first:
            faults.append(f"search {question!r}: {QUESTIONS[question]} is not among {first}")
    return faults


def browsed(site: Path, browser: str, pages: list[str], questions: list[str]) -> dict[str, Any]:
    """What Chromium, cut off from the network, reports of ``pages`` and of searches for ``questions``."""
    reports: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        """The site, the page that walks through it, and the report that this page sends."""

        def do_GET(self) -> None:
            answers = {"/check/": HARNESS, "/check/tasks": json.dumps({"pages": pages, "questions": questions})}
            if self.path not in answers:
                super().do_GET()
                return
            body = answers[self.path].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/check/" else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(site))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--remote-debugging-port=0", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"http://127.0.0.1:{server.server_port}/check/",
        ]  # fmt: skip
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return reports.get(timeout=SECONDS)
        finally:
            running.terminate()
            running.wait()
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
