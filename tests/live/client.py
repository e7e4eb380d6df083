"""Asks a live server through the client, and holds the answers to what was seeded."""

import heirloom

family = heirloom.lineage("lab/tuned")
names = {node["reference"] for node in family["nodes"]}
assert names == {"hf:lab/base", "hf:lab/tuned", "hf:lab/mixed"}, names
assert heirloom.lineage("hf:lab/base", depth=1)["root"] == "hf:lab/base"

model = heirloom.model("lab/tuned")
assert model["edge"]["parents"] == ["hf:lab/base"], model["edge"]
assert heirloom.versions("lab/base")[-1]["version"] == "1.0.0"
assert [found["reference"] for found in heirloom.search("tuned")] == ["hf:lab/tuned"]
assert heirloom.bom("lab/base")["bomFormat"] == "CycloneDX"

paged = [model["reference"] for model in heirloom.models(limit=2)]
assert len(paged) == len(set(paged)) == 5, paged
assert all(change["kind"] == "silent-change" for change in heirloom.changes(kind="silent-change"))

client = heirloom.Client()
tensors = client.get("/models/hf/lab/tuned/tensors")["items"]
assert client.identify({"tensors": tensors})[0]["reference"] == "hf:lab/tuned"

try:
    heirloom.lineage("no/such")
except heirloom.HeirloomError as error:
    assert (error.status, error.kind) == (404, "unknown-model"), error
else:
    raise AssertionError("a model that is not there was found")

try:
    heirloom.lineage("nonsense")
except ValueError:
    pass
else:
    raise AssertionError("a name without an owner was taken")
