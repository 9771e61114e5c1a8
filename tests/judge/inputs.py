"""The input of a request, read back into members and held against Amazon's model."""

import base64
import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from botocore.validate import ParamValidator

from .models import model_of, operation_of
from .signatures import body_of

# Headers that belong to the protocol, not to any operation.
COMMON_HEADERS = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-target",
                  "x-amz-user-agent", "amz-sdk-invocation-id", "amz-sdk-request")


class Validator(ParamValidator):
    """Botocore's, and enumerations, which it leaves to the service."""

    def _validate_string(self, param, shape, errors, name):
        super()._validate_string(param, shape, errors, name)
        if isinstance(param, str) and shape.enum and param not in shape.enum:
            errors.report(name, "invalid type", param=param, valid_types=shape.enum)


def validated(params, shape):
    report = Validator().validate(params, shape)
    return report.generate_report().splitlines() if report.has_errors() else []


def input_complaints(entry):
    try:
        operation = operation_of(entry)
    except KeyError:
        return [f"{entry['method']} {entry['target']} is no operation of the service"]
    read = {"json": read_json, "rest-xml": read_rest, "query": read_query}
    try:
        params, found = read[model_of(entry).protocol](entry, operation)
    except (ValueError, ElementTree.ParseError) as error:
        return [f"the body cannot be read: {error}"]
    if operation.input_shape is None:
        return found
    return found + validated(params, operation.input_shape)


def header(entry, name):
    return next((v for n, v in entry["headers"] if n.lower() == name.lower()), None)


def read_json(entry, operation):
    metadata = model_of(entry).metadata
    found = []
    expected = "application/x-amz-json-" + metadata["jsonVersion"]
    if header(entry, "Content-Type") != expected:
        found.append(f"Content-Type is {header(entry, 'Content-Type')}, not {expected}")
    target = f"{metadata['targetPrefix']}.{operation.name}"
    if header(entry, "X-Amz-Target") != target:
        found.append(f"X-Amz-Target is {header(entry, 'X-Amz-Target')}, not {target}")
    return unblobbed(json.loads(body_of(entry)), operation.input_shape), found


def unblobbed(value, shape):
    """Blobs travel as base64; a wrong one must not pass for text."""
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k: unblobbed(v, shape.members[k]) if k in shape.members else v
                for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [unblobbed(v, shape.member) for v in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {k: unblobbed(v, shape.value) for k, v in value.items()}
    return value


def read_query(entry, operation):
    form = dict(urllib.parse.parse_qsl(body_of(entry).decode(), keep_blank_values=True))
    found = []
    if form.pop("Action", None) != operation.name:
        found.append("Action is wrong")
    if form.pop("Version", None) != operation.service_model.api_version:
        found.append("Version is wrong")
    params = {k: typed(v, operation.input_shape.members.get(k)) for k, v in form.items()}
    return params, found


def read_rest(entry, operation):
    """Members from the path, the query, the headers and the XML body."""
    shape = operation.input_shape
    path, _, query = entry["target"].partition("?")
    params, found = {}, []
    template, _, fixed = operation.http["requestUri"].partition("?")
    matched = re.fullmatch(path_pattern(template), path)
    if operation.http["method"] != entry["method"] or not matched:
        found.append(f"{entry['method']} {path} is not {operation.http['method']} {template}")
    places = placed(shape)
    for name, value in (matched.groupdict() if matched else {}).items():
        params[places["uri"][name]] = urllib.parse.unquote(value)
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        member = places["querystring"].get(name)
        if member:
            params[member] = typed(value, shape.members[member])
        elif name not in dict(urllib.parse.parse_qsl(fixed, keep_blank_values=True)):
            found.append(f"unknown query parameter {name}")
    for name, value in entry["headers"]:
        member = places["header"].get(name.lower())
        if member:
            params[member] = typed(value, shape.members[member])
        elif name.lower().startswith("x-amz-") and name.lower() not in COMMON_HEADERS:
            found.append(f"unknown header {name}")
    if shape.serialization.get("payload"):
        read_payload(entry, shape, params, found)
    return params, found


def path_pattern(template):
    """/{Bucket}/{Key+} as a regular expression with the members' wire names."""
    parts = re.split(r"\{(\w+)(\+?)\}", template)
    pattern = re.escape(parts[0])
    for name, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3]):
        pattern += f"(?P<{name}>{'.+' if greedy else '[^/]+'})" + re.escape(literal)
    return pattern + "/?" if pattern.endswith(")") else pattern


def placed(shape):
    """location: {wire name: member}; header names in lower case."""
    places = {"uri": {}, "querystring": {}, "header": {}}
    for member, part in (shape.members if shape else {}).items():
        location = part.serialization.get("location")
        if location in places:
            name = part.serialization.get("name", member)
            places[location][name.lower() if location == "header" else name] = member
    return places


def read_payload(entry, shape, params, found):
    member = shape.serialization["payload"]
    part = shape.members[member]
    body = body_of(entry)
    if part.type_name != "structure":
        params[member] = body
        return
    if not body:
        return
    root = ElementTree.fromstring(body)
    namespace = part.serialization.get("xmlNamespace", {}).get("uri", "")
    expected = "{%s}%s" % (namespace, part.serialization.get("name", member))
    if root.tag != expected:
        found.append(f"the body is {root.tag}, not {expected}")
    params[member] = from_xml(root, part)


def local(tag):
    return tag.rpartition("}")[2]


def from_xml(node, shape):
    """Unknown elements keep their names, so that the validator can complain of them."""
    if shape.type_name == "structure":
        names = {part.serialization.get("name", member): member
                 for member, part in shape.members.items()}
        read = {}
        for child in node:
            member = names.get(local(child.tag), local(child.tag))
            part = shape.members.get(member)
            read[member] = from_xml(child, part) if part else child.text
        return read
    if shape.type_name == "list":
        wanted = shape.member.serialization.get("name", "member")
        return [from_xml(child, shape.member) if local(child.tag) == wanted else object()
                for child in node]
    return typed(node.text or "", shape)


def typed(text, shape):
    """Text as the shape's type; what is none stays text, so that the validator complains."""
    if shape is None:
        return text
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
