"""Holds documents against the published JSON Schemas: validate.py DOCS"""

import copy
import json
import pathlib
import sys

import jsonschema
import yaml

docs = pathlib.Path(sys.argv[1])
seeds = pathlib.Path(__file__).parent / "seeds"


def validator(name):
    schema = json.loads((docs / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def seed(name):
    return yaml.safe_load((seeds / name).read_text())


def changed(document, path, value):
    """A copy with something else at the path, or without it."""
    document = copy.deepcopy(document)
    at = document
    for key in path[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


configuration = validator("multicloud.schema.json")
machine = validator("virtualmachine.schema.json")
vm, federation, multicloud = seed("machine.yaml"), seed("federation.yaml"), seed("multicloud.yaml")
resources = ["spec", "template", "spec", "resources"]
constraint = ["spec", "federation", "placement", "constraints", 1]

good = [
    (machine, vm),
    (configuration, federation),
    (configuration, multicloud),
    (machine, changed(vm, ["spec", "replicas"], "${REPLICAS:-3}")),
    (machine, changed(changed(vm, [*constraint, "maxLatency"], None), [*constraint, "max_latency"], 10)),
    (machine, changed(vm, [*resources, "memory"], 8589934592)),
    (machine, changed(vm, ["spec", "federation", "placement", "maxCostPerHour"], "0.05 USD")),
    (configuration, changed(federation, ["spec", "policies", 2, "scoreMultiplier"], 1.5)),
    (configuration, changed(federation, ["spec", "policies", 2, "score_multiplier"], 1.5)),
    (configuration, changed(multicloud, ["orchestrator", "quotas"], [{"kind": "aws", "vcpus": 64}])),
]
bad = [
    (machine, federation),
    (configuration, vm),
    (machine, changed(vm, ["apiVersion"], "novacron.io/v2")),
    (machine, changed(vm, ["metadata", "name"], None)),
    (machine, changed(vm, [*resources, "cpu"], 2.5)),
    (machine, changed(vm, [*resources, "cpu"], 0)),
    (machine, changed(vm, [*resources, "memory"], 8)),
    (machine, changed(vm, [*resources, "memory"], "-8Gi")),
    (machine, changed(vm, [*resources, "mem"], "8Gi")),
    (machine, changed(vm, [*constraint, "type"], "regoin")),
    (machine, changed(vm, ["spec", "federation", "placement", "maxCostPerHour"], "0.05 EUR")),
    (configuration, changed(federation, ["spec", "policies", 0, "action"], None)),
    (configuration, changed(federation, ["spec", "policies", 0, "action", "type"], "forbid")),
    (configuration, changed(federation, ["spec", "optimization", "schedule"], "daily")),
    (configuration, changed(multicloud, ["orchestrator", "max_cost_per_hour"], -1)),
    (configuration, changed(multicloud, ["bursting", "thresholdPercent"], 80)),
]
wrong = [json.dumps(d) for v, d in good if not v.is_valid(d)] + [json.dumps(d) for v, d in bad if v.is_valid(d)]
sys.exit("\n".join(wrong) if wrong else 0)
