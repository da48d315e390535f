"""OpenAI's own description of its API, as a judge of documents."""

import json
from pathlib import Path

import pytest

SPEC = Path(__file__).parents[2] / "shared/specs/openai/openapi.json"


def fits(document, schema):
    """What is wrong with ``document``, read as ``schema``; skips the test where nobody can say."""
    jsonschema = pytest.importorskip("jsonschema", reason="judges what fits the schema")
    referencing = pytest.importorskip("referencing", reason="judges what fits the schema")
    if not SPEC.exists():
        pytest.skip("OpenAI's description of its API is not here")
    from referencing.jsonschema import DRAFT202012

    resource = referencing.Resource.from_contents(
        json.loads(SPEC.read_text()), default_specification=DRAFT202012
    )
    registry = referencing.Registry().with_resource("urn:openai", resource)
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"urn:openai#/components/schemas/{schema}"}, registry=registry
    )
    # It says ``nullable``, as older versions of the format did, which no validator of this one knows.
    return [
        error.message
        for error in validator.iter_errors(document)
        if not (error.instance is None and error.schema.get("nullable"))
    ]
