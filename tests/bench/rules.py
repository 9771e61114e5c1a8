"""Rules of each kind, about the events of data.lots(): the i-th of each is always the same."""

import json
import random

from .data import street


def pattern(**fields):
    return json.dumps({"properties": fields})


def digits(rng, n):
    return f"{rng.randrange(10**n):0{n}}"


def exact(rng):
    return pattern(lot=[digits(rng, 7)])


def prefix(rng):
    return pattern(lot=[{"prefix": digits(rng, 6)}])


def suffix(rng):
    return pattern(lot=[{"suffix": digits(rng, 6)}])


def ignore_case(rng):
    return pattern(street=[{"equals-ignore-case": street(rng).upper()}])


def wildcard_middle(rng):
    return pattern(lot=[{"wildcard": f"*{digits(rng, 3)}*{digits(rng, 1)}"}])


def wildcard_ends(rng):
    return pattern(lot=[{"wildcard": f"{digits(rng, 2)}*{digits(rng, 2)}*{digits(rng, 1)}"}])


def numeric_equal(rng):
    return pattern(number=[{"numeric": ["=", rng.randrange(10**6)]}])


def numeric_range(rng):
    low = rng.randrange(10**6)
    return pattern(number=[{"numeric": [">=", low, "<", low + 1 + rng.randrange(20)]}])


def anything_but(rng):
    return pattern(lot=[digits(rng, 7)], kind=[{"anything-but": [digits(rng, 5), "ST"]}])


def exists(rng):
    return pattern(flags={f"f{rng.randrange(10**5):05}": [{"exists": True}]})


def cidr(rng):
    return pattern(address=[{"cidr": f"{rng.randrange(256)}.{rng.randrange(256)}."
                                     f"{rng.randrange(256)}.0/24"}])


def regexp(rng):
    return pattern(lot=[{"regexp": f"{digits(rng, 2)}[0-9]{{2,3}}{digits(rng, 2)}"}])


def two_fields(rng):
    return pattern(lot=[digits(rng, 7)], side=["E"])


def either(rng):
    return json.dumps({"$or": [{"properties": {"lot": [digits(rng, 7)]}},
                               {"properties": {"street": [street(rng)]}}]})


def expression(rng):
    return (f'data.properties.lot == "{digits(rng, 7)}" and data.properties.number > '
            f'{rng.randrange(1000)} or data.properties.street starts "{street(rng)}"')


KINDS = {
    "exact": exact,
    "prefix": prefix,
    "suffix": suffix,
    "equals-ignore-case": ignore_case,
    "wildcard `*NNN*N`": wildcard_middle,
    "wildcard `NN*NN*N`": wildcard_ends,
    "numeric =": numeric_equal,
    "numeric range": numeric_range,
    "exact and anything-but": anything_but,
    "exists, each on a field": exists,
    "cidr": cidr,
    "regexp": regexp,
    "two fields": two_fields,
    "$or": either,
    "expression": expression,
}


def make(kind, count):
    rng = random.Random(f"{kind} of rules")
    return [KINDS[kind](rng) for _ in range(count)]
