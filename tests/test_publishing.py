"""What a release and a repository on GitHub are made of: one version, pinned actions, commands that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml

from gsrgnn.cli import app
from gsrgnn.version import __version__

ROOT = Path(__file__).parents[1]
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text())
ZENODO = json.loads((ROOT / ".zenodo.json").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def steps(workflow):
    return [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]


def test_one_version_one_date_one_title():
    assert CFF["version"] == ZENODO["version"] == __version__
    assert str(CFF["date-released"]) == ZENODO["publication_date"]
    assert (CFF["title"], CFF["license"], CFF["keywords"]) == tuple(
        ZENODO[key] for key in ("title", "license", "keywords")
    )
    assert [author["name"] for author in CFF["authors"]] == [creator["name"] for creator in ZENODO["creators"]]
    assert CFF["references"][0]["identifiers"][0]["value"] == ZENODO["related_identifiers"][0]["identifier"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits_and_say_their_version(workflow):
    used = [line.partition("uses: ")[2] for line in workflow.read_text().splitlines() if "uses: " in line]
    assert len(used) == sum("uses" in step for step in steps(workflow)) > 0
    assert [line for line in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_there_is(workflow):
    script = "\n".join(step.get("run", "") for step in steps(workflow))
    targets = re.findall(
        r"^(\S+):", (ROOT / "Makefile").read_text().replace("$(STAMP)", ".venv/.complete"), re.MULTILINE
    )
    assert {*re.findall(r"^make (\S+)", script, re.MULTILINE)} <= {*targets}
    commands = {command.callback.__name__ for command in app.registered_commands} | {"data"}
    assert {*re.findall(r"bin/gsrgnn (\S+)", script)} <= commands
    assert "${{" not in script, "an expression in a script is replaced before the shell reads it: give it by env"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_template_has_what_github_asks_for(template):
    form = yaml.safe_load(template.read_text())
    if template.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= form.keys()
    assert all(part["type"] == "markdown" or part["attributes"]["label"] for part in form["body"])
    ids = [part["id"] for part in form["body"] if "id" in part]
    assert len(ids) == len(set(ids)) > 0
