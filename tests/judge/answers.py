"""The stand-in's own JSON answers, held against the same models."""

import json

from .inputs import unblobbed, validated
from .models import model_of, operation_of


def answer_complaints(entry):
    if not model_of(entry) or model_of(entry).protocol != "json" or entry["status"] != 200:
        return []
    shape = operation_of(entry).output_shape
    if shape is None:
        return []
    found = validated(unblobbed(json.loads(entry["answer"]), shape), shape)
    return [f"{entry['service']} {entry['operation']} (request {entry['n']}): {c}" for c in found]
