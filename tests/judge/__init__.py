"""An independent judge of AWS requests: botocore, with Amazon's own service models.

complaints(entry) takes a request as the stand-in's journal recorded it and says what Amazon
would not have liked: the signature, recomputed from the raw request, and every member of the
input, held against the model.  Where Debian's models are older than the API, models.py adds
what the API reference says.
"""

from .answers import answer_complaints
from .inputs import input_complaints
from .models import client, model_of
from .signatures import signature_complaints

__all__ = ["complaints", "answer_complaints", "client"]


def complaints(entry, secret_of):
    """All that is wrong with one request; secret_of(key id) answers its secret."""
    if not model_of(entry):
        return []
    found = signature_complaints(entry, secret_of) + input_complaints(entry)
    return [f"{entry['service']} {entry['operation']} (request {entry['n']}): {c}" for c in found]
