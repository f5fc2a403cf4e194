"""The pages of a signal and an audit in a real browser: text and picture are there, whole and legible, on a screen and
on a phone, light and dark, with no network.
"""

import html
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

# Runs in the page, after it is laid out, and sends what it finds to the page around it.
PROBE = """
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
  parent.postMessage(JSON.stringify({
    dark: page < 0.5,
    text: document.querySelector(".fanin").innerText,
    words: contrast(getComputedStyle(document.querySelector(".fanin p")).color),
    cells: contrast(getComputedStyle(document.querySelector(".fanin td")).color),
    width: innerWidth,
    wider: document.documentElement.scrollWidth - innerWidth,
    clipped: [...document.querySelectorAll(".fanin *")].filter(each => !each.closest("svg")
      && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
      && !["auto", "scroll"].includes(getComputedStyle(each).overflowX)).map(each => each.outerHTML.slice(0, 80)),
    outside: shown.filter(t => { const a = t.getBoundingClientRect(), b = svg.getBoundingClientRect();
      return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1; })
      .map(t => t.textContent),
    marks: svg.querySelectorAll("use").length,
    picture: [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height],
    labels: shown.map(t => t.textContent),
    ink: Math.min(...shown.map(t => contrast(getComputedStyle(t).fill))),
    lines: lines.map(p => contrast(getComputedStyle(p).stroke)),
    dashes: new Set(lines.map(p => getComputedStyle(p).strokeDasharray)).size,
    loaded: performance.getEntriesByType("resource").map(entry => entry.name),
  }), "*");
});
</script>
"""
# No window is as narrow as a phone, but a frame can be; it is dark where the page around it may be.
AROUND = """<!DOCTYPE html><style>
:root { color-scheme: light dark; } iframe { border: 0; width: WIDTHpx; height: 900px; }
</style><pre id="found"></pre><script>
addEventListener("message", event => { document.getElementById("found").textContent = event.data; });
</script><iframe src="probed.html"></iframe>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{what it is of: the file}."""
    folder = tmp_path_factory.mktemp("pages")
    layers = [layer for _ in range(12) for layer in (torch.nn.Linear(64, 64), torch.nn.ReLU())]
    batch = torch.from_numpy(fanin.Normal()((8, 64), seed=0, name="batch"))
    signal(torch.nn.Sequential(*layers), batch, seed=0, compare={
        "torch": "torch", "he": {"*.bias": "zeros", "*": "he_normal"}}).to_html(folder / "signal.html")
    tensors = {f"model.layers.{i}.attention.projection_of_the_output.weight": fanin.Normal(0.0, 0.02 * (1 + i))(
        (64, 96), seed=0, name=f"{i}") for i in range(6)}
    tensors |= {"head.weight": fanin.Uniform(-0.1, 0.1)((64, 96), seed=0), "norm.weight": fanin.Constant(1.0)((64,)),
                "trained.weight": fanin.Uniform(-0.1, 0.1)((64, 96), seed=1) ** 3}
    fanin.audit(tensors, rules={"*": {"name": "normal", "std": 0.02}}).to_html(folder / "audit.html")
    return {name: folder / f"{name}.html" for name in ("signal", "audit")}


@pytest.mark.parametrize("kind", ["signal", "audit"])
def test_the_page_is_one_file(pages, kind):
    """It refers to nothing outside: no address but the names of XML namespaces, no script."""
    text = pages[kind].read_text("utf-8")

    assert not re.search(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import|<script""", text)


SAID = {"signal": ["he: Alive", "torch: The signal dies"],
        "audit": ["Partly as it was drawn", "none of these", "std 0.04", "the rules ask"]}
LABELS = {"signal": {"torch", "he", "dies", "layer, in order of execution"},
          "audit": {"normal", "uniform", "none of these", "std", "excess kurtosis", "cut at 2 σ"}}


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["signal", "audit"])
def test_a_browser_shows_text_and_picture(pages, kind, dark, width, tmp_path):
    """Verdict, table and picture have a contrast of 4.5:1 (lines 3:1), none is cut off, and nothing is loaded."""
    found = look(pages[kind], dark, width, tmp_path)

    assert found["width"] == width and found["dark"] is dark and found["loaded"] == []
    assert found["wider"] <= 0 and found["clipped"] == [] and found["outside"] == []
    assert [words for words in SAID[kind] if words not in found["text"]] == []
    assert LABELS[kind] <= set(found["labels"])
    assert found["picture"][0] > 0.8 * min(width, 700) and found["picture"][1] > 150
    assert min(found["words"], found["cells"], found["ink"]) >= 4.5
    if kind == "signal" and width == 1280:  # as many dots of a line are shorter on a phone
        assert len(found["lines"]) == 4 and min(found["lines"]) >= 3 and found["dashes"] == 2


def look(page, dark, width, folder):
    """What the probe finds in a page, in a window of this width."""
    (folder / "probed.html").write_text(page.read_text("utf-8").replace("</body>", PROBE + "</body>"), "utf-8")
    around = folder / "around.html"
    around.write_text(AROUND.replace("WIDTH", str(width)), "utf-8")
    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
                           f"--user-data-dir={folder}/profile", "--window-size=1400,1000", "--dump-dom",
                           f"--blink-settings=preferredColorScheme={0 if dark else 1}", around.as_uri()],
                          capture_output=True, text=True, timeout=240, check=True)
    return json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)[1]))


def test_the_documentation_s_picture_is_made_by_its_script(tmp_path):
    """docs/pictures.py draws the picture that the documentation shows: the same words, and a line for each rule set."""
    script = ROOT / "docs" / "pictures.py"
    if not script.exists():
        pytest.skip("the documentation is not here")

    subprocess.run([sys.executable, str(script), "--folder", str(tmp_path)], check=True)

    words = [re.findall(r"<text[^>]*>([^<]+)</text>", (folder / "signal.svg").read_text("utf-8"))
             for folder in (tmp_path, ROOT / "docs")]
    assert words[0] == words[1] and {"torch's default", "N(0, 0.02)", "he_normal"} <= set(words[0])
