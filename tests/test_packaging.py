"""What the project's page on an index and its host's pages show: links that lead somewhere, files in their formats."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import fanin

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
URLS = PROJECT["urls"]
ELSEWHERE = {"https://numba.pydata.org"}


def links(path):
    """The targets of a Markdown file's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))


def file_behind(url):
    """The file of this repository that an address of the project's shows, or None for a place that is no file."""
    if url.startswith(URLS["Documentation"] + "/"):
        place = url.removeprefix(URLS["Documentation"] + "/").partition("#")[0]
        return ROOT / "docs" / place.removeprefix("_images/").replace(".html", ".md")
    if url.startswith(URLS["Source"] + "/"):
        return ROOT / url.removeprefix(URLS["Source"] + "/")
    return None


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md"])
def test_links_are_absolute_and_lead_somewhere(name):
    """Shown on a page elsewhere a relative link is dead; an address of the project's has a file behind it."""
    found = set(links(ROOT / name)) - ELSEWHERE

    assert found
    assert {url for url in found if not url.startswith(URLS["Homepage"])} == set()
    assert {url for url in found if url not in URLS.values() and not file_behind(url).is_file()} == set()


def test_the_index_is_told_where_the_project_lives():
    """Every address that pyproject.toml gives an index belongs to the homepage's host."""
    assert set(URLS) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert all(url.startswith(URLS["Homepage"]) for url in URLS.values())
    assert file_behind(URLS["Changelog"]).is_file()


def test_the_citation_is_of_this_version():
    """CITATION.cff has what its format asks for, and the version, licence and addresses of the package."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))

    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == fanin.__version__
    assert citation["license"] == PROJECT["license"]
    assert [citation["url"], citation["repository-code"]] == [URLS["Homepage"], URLS["Source"]]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.stem)
def test_issue_templates_are_forms(path):
    """A form has a name, a description and fields with an identifier each; links lead to the project's pages."""
    form = yaml.safe_load(path.read_text("utf-8"))

    if path.stem == "config":
        assert all(link["url"] in URLS.values() or file_behind(link["url"]).is_file() for link in form["contact_links"])
        return
    fields = form["body"]
    assert form["name"] and form["description"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["type"] in {"textarea", "input", "dropdown", "checkboxes"} and field["attributes"]["label"]
               for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_readme_says_what_the_site_says_of_versions():
    """The policy is written once, in two paragraphs; the site includes it."""
    text = (ROOT / "README.md").read_text("utf-8")
    policy = text.partition("<!-- versions -->")[2].partition("<!-- /versions -->")[0].strip()

    assert len(policy.split("\n\n")) == 2
    assert "<!-- versions -->" in (ROOT / "docs" / "versions.md").read_text("utf-8")
