"""Validates what a live server writes against the schemas that the standards publish.

CycloneDX 1.6 by the JSON schema that ships with cyclonedx-python-lib; SPDX 3.0.1 by the model that the SPDX project generates from its
SHACL shapes (spdx-python-model), which checks types, enumerations and counts when it reads and writes; PTMTorrent's records by its schema.
"""

import io
import json
import pathlib
import sys
import urllib.request

import jsonschema_rs
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_python_model import v3_0_1 as spdx

server, export = sys.argv[1] + "/api/v1", pathlib.Path(sys.argv[2])

LOCK = """version = 1
[[model]]
reference = "hf:lab/base"
[[model]]
reference = "hf:lab/tuned"
[[model]]
reference = "hf:lab/mixed"
"""

PTMTORRENT = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "ModelHub": {
            "type": "object",
            "properties": {
                "ModelHubName": {"type": "string"},
                "ModelHubURL": {"type": "string"},
                "MetadataFilePath": {"type": "string"},
                "MetadataObjectID": {"type": "integer"},
            },
            "required": ["ModelHubName", "ModelHubURL", "MetadataFilePath", "MetadataObjectID"],
        },
        "ModelName": {"type": "string"},
        "ModelOwner": {"type": "string"},
        "ModelURL": {"type": "string"},
        "ModelOwnerURL": {"type": "string"},
        "Datasets": {
            "type": "array",
            "contains": {
                "type": "object",
                "required": ["DatasetName", "DatasetOwner", "DatasetURL", "DatasetOwnerURL"],
            },
        },
        "ModelPaperDOIs": {"type": "array", "contains": {"type": "string"}},
        "LatestGitCommitSHA": {"type": "string"},
        "ModelTask": {"type": "string"},
        "ModelArchitecture": {"type": "string"},
    },
    "required": ["id", "ModelHub", "ModelName", "ModelOwner", "ModelURL", "ModelOwnerURL", "LatestGitCommitSHA"],
}


def ask(path, body=None):
    headers = {"Content-Type": "text/plain"} if body else {}
    request = urllib.request.Request(server + path, data=body and body.encode(), headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def check_cyclonedx(document):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document)
    assert error is None, error


def check_spdx(document):
    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(document.encode()), objects)
    missing = objects.link()
    assert not missing, missing
    # Writing checks that whatever must be there is.
    spdx.JSONLDSerializer().write(objects, io.BytesIO())
    for element in objects.foreach():
        assert "extension" not in type(element).__name__.lower(), element


for name in ("base", "tuned", "mixed", "broken"):
    check_cyclonedx(ask(f"/models/hf/lab/{name}/bom"))
    check_spdx(ask(f"/models/hf/lab/{name}/bom?format=spdx"))
check_cyclonedx(ask("/bom", LOCK))
check_spdx(ask("/bom?format=spdx", LOCK))

records = jsonschema_rs.validator_for({"$schema": "https://json-schema.org/draft/2020-12/schema", **PTMTORRENT})
files = list(export.glob("data/*/json/ptmtorrent.json"))
assert len(files) == 2, files
for path in files:
    for record in json.loads(path.read_text()):
        records.validate(record)

statement = json.loads(ask("/models/hf/lab/tuned/provenance"))
assert statement["_type"] == "https://in-toto.io/Statement/v1"
assert statement["subject"] and all(subject["digest"] for subject in statement["subject"])
