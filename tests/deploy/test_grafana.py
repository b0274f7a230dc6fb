"""The provisioned dashboard: it can be loaded, and shows only metrics that exist."""

import json
from pathlib import Path

import pytest
import yaml

from tests.deploy.metric_names import metric_names, names_in, unknown_in

TOP = Path(__file__).resolve().parents[2]
GRAFANA = TOP / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "weir.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# Of a histogram one name is enough; the versions at work are a label, not a curve.
_NOT_SHOWN = ("_bucket", "_count", "_sum", "_info", "_total")


def expressions():
    shown = [target["expr"] for panel in PANELS for target in panel["targets"]]
    asked = [each["query"]["query"] for each in DASHBOARD["templating"]["list"]]
    return [*shown, *asked, *(each["expr"] for each in DASHBOARD["annotations"]["list"])]


@pytest.mark.parametrize("expression", expressions())
def test_a_panel_asks_only_for_metrics_that_exist(expression):
    """Read from the registries that the learner and the API fill."""
    assert names_in(expression)
    assert unknown_in(expression) == set()


def test_every_metric_has_a_panel():
    """What is measured can be seen."""
    shown = set().union(*map(names_in, expressions()))
    bare = {name for name in metric_names() if not name.endswith(_NOT_SHOWN)}
    missing = {name for name in bare if not any(each.startswith(name) for each in shown)}

    assert missing - {"weir_build", "weir_model_examples_scored"} == set()


def test_panels_have_their_own_place_and_number():
    """No two overlap, none has the id of another, none reaches over the edge."""
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_panel_reads_the_provisioned_datasource():
    """The id in the panels is that of the datasource file, whose address compose serves."""
    provisioned = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    services = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]

    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services


def test_the_dashboards_folder_is_where_compose_mounts_it():
    """The provider reads the path that the compose file mounts the dashboards on."""
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/weir.yml").read_text())
    services = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
    path = provider["providers"][0]["options"]["path"]

    assert f"./deploy/grafana/dashboards:{path}:ro" in services["grafana"]["volumes"]
