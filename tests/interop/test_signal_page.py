"""The page of a signal in a real browser: text and picture are there and legible, light and dark, with no network."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import fanin
from fanin.torch import signal

ROOT = Path(__file__).parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Runs in the page, after it is laid out, and leaves what it finds in a <pre>.
PROBE = """
<pre id="found"></pre>
<script>
addEventListener("load", () => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => {
    const [r, g, b] = numbers(color).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = luminance(getComputedStyle(document.body).backgroundColor);
  const contrast = color => { const l = luminance(color);
    return (Math.max(l, page) + 0.05) / (Math.min(l, page) + 0.05); };
  const svg = document.querySelector("svg");
  const shown = [...svg.querySelectorAll("text")].filter(t => t.getBoundingClientRect().width > 0);
  const lines = [...svg.querySelectorAll("path")].filter(p => getComputedStyle(p).stroke !== "none"
    && p.getTotalLength() > 200 && p.getAttribute("clip-path") && getComputedStyle(p).strokeOpacity > 0.9);
  document.getElementById("found").textContent = JSON.stringify({
    dark: page < 0.5,
    text: document.querySelector(".fanin").innerText,
    words: contrast(getComputedStyle(document.querySelector(".fanin p")).color),
    cells: contrast(getComputedStyle(document.querySelector(".fanin td")).color),
    picture: [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height],
    labels: shown.map(t => t.textContent),
    ink: Math.min(...shown.map(t => contrast(getComputedStyle(t).fill))),
    lines: lines.map(p => contrast(getComputedStyle(p).stroke)),
    dashes: new Set(lines.map(p => getComputedStyle(p).strokeDasharray)).size,
    loaded: performance.getEntriesByType("resource").map(entry => entry.name),
  });
});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    layers = [layer for _ in range(12) for layer in (torch.nn.Linear(64, 64), torch.nn.ReLU())]
    batch = torch.from_numpy(fanin.Normal()((8, 64), seed=0, name="batch"))
    path = tmp_path_factory.mktemp("page") / "signal.html"
    signal(torch.nn.Sequential(*layers), batch, seed=0, compare={
        "torch": "torch", "he": {"*.bias": "zeros", "*": "he_normal"}}).to_html(path)
    return path


def test_the_page_is_one_file(page):
    """It refers to nothing outside: no address but the names of XML namespaces, no script."""
    text = page.read_text("utf-8")

    assert not re.search(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import|<script""", text)


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_text_and_picture(page, dark, tmp_path):
    """Verdict, table and picture have a size and a contrast of 4.5:1 (lines 3:1), and nothing is loaded."""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text("utf-8").replace("</body>", PROBE + "</body>"), "utf-8")

    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
                           f"--user-data-dir={tmp_path}/profile", "--dump-dom",
                           f"--blink-settings=preferredColorScheme={0 if dark else 1}", probed.as_uri()],
                          capture_output=True, text=True, timeout=240, check=True)
    found = json.loads(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]
                       .replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))

    assert found["dark"] is dark and found["loaded"] == []
    assert "he: Alive" in found["text"] and "torch: The signal dies" in found["text"]
    assert {"torch", "he", "layer, in order of execution"} <= set(found["labels"])
    assert min(found["picture"]) > 200
    assert min(found["words"], found["cells"], found["ink"]) >= 4.5
    assert len(found["lines"]) == 4 and min(found["lines"]) >= 3 and found["dashes"] == 2


def test_the_documentation_s_picture_is_made_by_its_script(tmp_path):
    """docs/pictures.py draws the picture that the documentation shows: the same words, and a line for each rule set."""
    script = ROOT / "docs" / "pictures.py"
    if not script.exists():
        pytest.skip("the documentation is not here")

    subprocess.run([sys.executable, str(script), "--folder", str(tmp_path)], check=True)

    words = [re.findall(r"<text[^>]*>([^<]+)</text>", (folder / "signal.svg").read_text("utf-8"))
             for folder in (tmp_path, ROOT / "docs")]
    assert words[0] == words[1] and {"torch's default", "N(0, 0.02)", "he_normal"} <= set(words[0])
