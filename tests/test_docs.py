"""What the documents promise about the project itself. The README's examples are run by its own doctest."""

import re
import tomllib
from pathlib import Path

import pytest

import autograd_core as ag

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["main", "test"])
def test_readme_has_the_command_in_one_line(name):
    # .ci/run finds the commands by the same mark
    blocks = re.findall(rf"^<!-- {name} command -->\n```bash\n(.*?)^```$", read("README.md"), re.M | re.S)
    assert len(blocks) == 1
    (command,) = blocks[0].splitlines()
    assert command.startswith("python3 -m venv .venv && ")
    assert not command.endswith("\\")


def test_versions_agree():
    (cited,) = re.findall(r"^version: (\S+)$", read("CITATION.cff"), re.M)
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == cited == ag.__version__


def test_changelog_is_ready_for_the_next_change():
    sections = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.M)
    assert sections[0] == "Unreleased"
    assert len(set(sections)) == len(sections)


def test_links_in_the_documents_lead_somewhere():
    broken = []
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert not broken
