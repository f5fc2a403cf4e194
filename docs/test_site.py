"""The built pages in a browser without a window: nothing is cut off, and everything can be read, light and dark.

`tox -e docs` builds them and runs this: `FANIN_SITE=FOLDER pytest docs`. Without a browser it is skipped, and says so.
"""

import os
import shutil
from pathlib import Path

import pytest
from playwright import sync_api

SITE = os.environ.get("FANIN_SITE")
pytestmark = pytest.mark.skipif(SITE is None, reason="FANIN_SITE must name the folder of the built pages: tox -e docs")
FOLDER = Path(SITE or ".").resolve()
PAGES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.html")
               if not path.relative_to(FOLDER).as_posix().startswith("_"))
PICTURES = sorted(path.name for path in (FOLDER / "_images").glob("*.svg"))
SCREENS = {"laptop": (1280, 800), "phone": (400, 800)}
ON_DARK = {"light": False, "dark": True}

# What is wider than the place it has, or reaches beyond the window: its kind and its first words.
CLIPPED = """
() => [...document.querySelectorAll("article :is(pre, table, .table-wrapper, .highlight, .sig, img, svg, h1, h2, p)")]
  .filter(each => each.getBoundingClientRect().width > 0)
  .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
    || each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(each => `${each.tagName}: ${(each.textContent || each.src || "").trim().slice(0, 60)}`)
"""

# The least contrast, as WCAG 2 defines it, between texts and what is painted under them, with the text.
CONTRASTS = """
() => {
  const luminance = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll("text")].map(text => {
    const box = text.getBoundingClientRect();
    const under = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)
      .find(each => each !== text && !text.contains(each) && !each.closest("text")
        && each instanceof SVGGeometryElement && getComputedStyle(each).fill !== "none");
    if (!under) return [0, text.textContent + " (nothing of the picture lies under it)"];
    const [a, b] = [luminance(getComputedStyle(text).fill), luminance(getComputedStyle(under).fill)];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.textContent];
  });
}
"""


@pytest.fixture(scope="module")
def browser():
    """Playwright's own Chromium, or the system's."""
    with sync_api.sync_playwright() as playwright:
        installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if installed is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("no browser is installed: the pages were NOT looked at. `playwright install chromium` gets one")
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(screen, scheme) for screen in SCREENS for scheme in ON_DARK], ids="-".join)
def window(request, browser):
    """A page of a browser of that width, whose system is light or dark."""
    screen, scheme = request.param
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    yield context.new_page()
    context.close()


def open_page(window, name):
    window.goto((FOLDER / name).as_uri())


def test_nothing_is_cut_off(window):
    """On a laptop and on a phone no block of code, table, signature or picture needs scrolling sideways, in any tab."""
    clipped = {}
    for name in PAGES:
        open_page(window, name)
        found = window.evaluate(CLIPPED)
        for tab in window.query_selector_all(".sd-tab-label"):
            tab.click()
            found += window.evaluate(CLIPPED)
        clipped[name] = found

    assert {"index.html", "quickstart.html", "models.html", "api/torch.html"} <= set(clipped)
    assert {name: found for name, found in clipped.items() if found} == {}


def test_a_block_that_is_cut_off_is_found(window):
    """The test above has the power: unwrapped, the lines of a page are wider than their place."""
    open_page(window, "models.html")
    window.add_style_tag(content=".highlight pre { white-space: pre !important }")

    assert len(window.evaluate(CLIPPED)) >= 5


def test_every_picture_is_there(window):
    """Each picture is found and has a size that can be read."""
    sizes = {}
    for name in PAGES:
        if "_images/" not in (FOLDER / name).read_text("utf-8"):
            continue
        open_page(window, name)
        pictures = window.evaluate("() => [...document.querySelectorAll('article img[src*=_images]')]"
                                   ".map(each => [each.src, each.naturalWidth && each.width, each.height])")
        sizes |= {(name, source): min(width, height) for source, width, height in pictures}

    assert {name for name, _ in sizes} >= {"index.html", "models.html", "how-it-works.html", "sharding.html"}
    assert {place: size for place, size in sizes.items() if size < 80} == {}


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_can_be_read(window, picture):
    """Every text stands on something of the picture's own at 4.5:1, so the page under it may be light or dark."""
    window.set_viewport_size({"width": 1280, "height": 1000})  # all of it, as wide as it is
    window.goto((FOLDER / "_images" / picture).as_uri())

    contrasts = window.evaluate(CONTRASTS)

    assert len(contrasts) >= 10
    assert [(round(contrast, 2), text) for contrast, text in contrasts if contrast < 4.5] == []


def test_a_page_is_light_or_dark_as_its_system_is(window):
    """The theme follows the system, and text has a contrast to it."""
    open_page(window, "index.html")

    dark = window.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    background, ink = window.evaluate(
        "() => [document.body, document.querySelector('article p')].map((each, place) => getComputedStyle(each)"
        "[place ? 'color' : 'backgroundColor'].match(/[\\d.]+/g).slice(0, 3).map(Number))")

    assert (sum(background) < 3 * 64) == dark == (sum(ink) > 3 * 128)


def test_the_landing_page_shows_the_way(window):
    """It has the picture, how to install, and cards that lead to pages; the sidebar has its groups."""
    open_page(window, "index.html")
    cards = window.evaluate("() => [...document.querySelectorAll('.sd-card a.sd-stretched-link')].map(a => a.href)")
    groups = window.evaluate("() => [...document.querySelectorAll('.sidebar-tree .caption')].map(c => c.textContent)")

    assert "pip install fanin" in window.inner_text("article")
    assert len(cards) >= 6 and all(Path(card.removeprefix("file://")).is_file() for card in cards)
    assert [group.lower() for group in groups] == ["start", "guides", "reference", "background"]


def test_the_quickstart_begins_with_a_model(window):
    """The first code is a whole model's, in a tab for each framework."""
    open_page(window, "quickstart.html")
    tabs = window.query_selector_all(".sd-tab-label")
    calls = ("fanin.torch.init_module", "fanin.jax.init_model", "fanin.keras.init_model", "fanin.Rules.of")

    assert [tab.inner_text() for tab in tabs] == ["torch", "JAX", "Keras", "numpy"]
    for tab, words in zip(tabs, calls, strict=True):
        tab.click()
        shown = [code.inner_text() for code in window.query_selector_all("article pre") if code.is_visible()]
        assert words in shown[1]


def test_code_can_be_copied(window):
    """Every block of code on a page has a button that copies it."""
    open_page(window, "models.html")
    window.wait_for_selector("button.copybtn", state="attached")

    blocks, buttons = (len(window.query_selector_all(f"article {each}")) for each in ("pre", "button.copybtn"))

    assert blocks == buttons >= 5


def test_every_entry_of_the_api_has_types_and_its_source(window):
    """What a module exports is on a page of its own, with annotated parameters and a link to its code."""
    pages = [name for name in PAGES if name.startswith("api/") and name != "api/index.html"]

    assert len(pages) >= 10
    for name in pages:
        open_page(window, name)
        sources = window.evaluate("() => [...document.querySelectorAll('a:has(.viewcode-link)')].map(a => a.href)")
        assert sources, name
        assert all(Path(source.removeprefix("file://").partition("#")[0]).is_file() for source in sources), name
    open_page(window, "api/torch.html")
    assert "module: nn.Module" in window.inner_text("#fanin\\.torch\\.init_module")
