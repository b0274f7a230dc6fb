"""The scrape configuration and the alert rules, checked by promtool where there is one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.metric_names import names_in, unknown_in

TOP = Path(__file__).resolve().parents[2]
PROMETHEUS = TOP / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = PROMETHEUS / "tests" / "weir_test.yml"


def rules():
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = frozenset(rule["record"] for rule in rules() if "record" in rule)


def promtool(*arguments):
    """Run promtool, if this machine has it; what it complains of."""
    beside = Path(sys.executable).with_name("promtool")
    program = str(beside) if beside.exists() else shutil.which("promtool")
    if program is None:
        return ""  # the other tests here say the same more plainly
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_rules_and_the_scrape_configuration_are_prometheus_own_language():
    """The files load; promtool checks the expressions too."""
    complaints = promtool("check", "rules", *map(str, RULES))
    complaints += promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert complaints == ""
    assert all(rule["expr"].strip() for rule in rules())


def test_every_alert_fires_when_it_should():
    """Series are played to the rules, and every alert has a case in which it fires."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    fires = {
        alert["alertname"]
        for case in cases
        for alert in case.get("alert_rule_test", [])
        if alert["exp_alerts"]
    }

    assert promtool("test", "rules", str(CASES)) == ""
    assert fires == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_only_for_metrics_that_exist(rule):
    """Read from the registries that the learner and the API fill."""
    assert names_in(rule["expr"])
    assert unknown_in(rule["expr"], RECORDED) == set()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_and_leads_to_its_runbook(rule):
    """The runbook bears the alert's name and says what to do."""
    url = rule["annotations"]["runbook_url"]
    runbook = (TOP / url).read_text()

    assert url == f"docs/runbooks/{rule['alert']}.md"
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert runbook.startswith(f"# {rule['alert']}\n")
    assert [line for line in runbook.splitlines() if line.startswith("## ")] == [
        "## What it means", "## Make sure", "## What to do",
    ]  # fmt: skip


def test_every_runbook_belongs_to_an_alert():
    """None is left over from an alert that is gone."""
    kept = {path.stem for path in (TOP / "docs" / "runbooks").glob("Weir*.md")}

    assert kept == {rule["alert"] for rule in ALERTS}


def test_what_is_scraped_is_what_compose_runs():
    """Each target is a service of the compose file, on the port that it listens on."""
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    services = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in scraped}

    learner = services["learner"]["environment"]["WEIR_LEARNER__METRICS_PORT"]
    api = services["api"]["environment"]["WEIR_API__PORT"]
    assert targets == {"learner": [f"learner:{learner}"], "api": [f"api:{api}"]}
