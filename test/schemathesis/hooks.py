"""What Schemathesis does not know of the REST side, and which of its findings are right
as they are."""

import json
import os

import schemathesis

LINES = "application/x-ndjson"

# The texts that are null in a line if they are empty.
TEXTS = ("name", "base_url", "language")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The schema of NDJSON is that of a line. Together the lines are a list."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                media = body.get("content", {}).get(LINES)
                if media is None:
                    continue
                media["schema"] = {"type": "array", "items": media["schema"]}
                if "example" in media:
                    media["example"] = [json.loads(line) for line in media["example"].splitlines()]


@schemathesis.serializer(LINES)
def to_lines(context, value):
    if isinstance(value, bytes):
        return value
    lines = value if isinstance(value, list) else [value]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@schemathesis.deserializer(LINES)
def from_lines(context, response):
    lines = [json.loads(line) for line in response.content.decode().splitlines()]
    for line in lines:
        for item in line.values():
            for field in TEXTS:
                if isinstance(item, dict) and field in item and item[field] is None:
                    item[field] = ""
    return lines


def code(response):
    """Returns the error code of a failure, and the type of the first refused value."""
    try:
        body = json.loads(response.content)
        return body.get("error_code") or body["detail"][0]["type"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def header(case, name):
    return str((case.headers or {}).get(name, ""))


def too_short(failure, case, response):
    try:
        seconds = float(header(case, "Digate-Timeout"))
    except ValueError:
        return False
    return response.status_code == 504 and code(response) == "DEADLINE_BEFORE_SEND" and seconds < 0.1


def refused(failure, response, *codes):
    """Reports whether a request that fits its schema was refused with one of the codes."""
    return name(failure) == "RejectedPositiveData" and code(response) in codes


def name(failure):
    return type(failure).__name__


def last(case):
    return case.operation.path.rsplit("/", 1)[-1]


def other_route(failure, case, response):
    shared = last(case).startswith(("template", "{template_id}:"))
    if name(failure) == "AllowHeaderMismatch":
        return shared
    return shared and name(failure) == "UnsupportedMethodResponse" and response.status_code == 422


def bulk_line(failure, case, response):
    return name(failure) == "AcceptedNegativeData" and last(case) == "template:bulkCopy" and b'"http_status":422' in response.content


def empty_text(failure, case, response):
    return name(failure) == "JsonSchemaError" and last(case).endswith(":previewCopy") and failure.instance is None and b'"name":null' in response.content


# What Schemathesis complains of and digate is right to do, by the reason.
EXPLAINED = {
    "a Digate-Timeout may be too short for a request": too_short,
    # OpenAPI cannot say that parameters exclude each other, nor which ids a list has.
    "a list takes one of after, before and page, and knows the id": lambda failure, case, response: refused(
        failure, response, "INVALID_PAGINATION_PARAMETERS"
    ),
    # States of Diga, or of the ledger, which no schema knows.
    "an MCP integration has no tools that can be changed": lambda failure, case, response: refused(failure, response, "INTEGRATION_TYPE"),
    "the template has placeholders without a value": lambda failure, case, response: refused(
        failure, response, "placeholder_missing", "placeholder_type"
    ),
    "the key was used for another request": lambda failure, case, response: refused(failure, response, "request_id_reused"),
    # The path of a list, or of a stream, is that of an integration with an odd id too.
    "the path is that of another operation, which refuses the id": other_route,
    "a line that is refused has its failure in its own line": bulk_line,
    "a preview has null for an empty name": empty_text,
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    for reason, holds in EXPLAINED.items():
        if holds(failure, case, response):
            with open(os.environ["EXPLAINED"], "a") as file:
                file.write(reason + "\n")
            return False
    return True
