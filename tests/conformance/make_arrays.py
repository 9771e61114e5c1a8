#!/usr/bin/env python3
"""Patterns over arrays with the answer of EventBridge's model: prints arrays.jsonl.

The model is told in four sentences.  An event is a list of leaves, each with its path and, for
every array it stands in, its place there.  A pattern with $or stands for the patterns made by
taking one branch of each, later fields replacing earlier ones with the same path.  Fields are
taken in the order of their dotted paths, each choosing a leaf whose places do not contradict those
of the leaves chosen before.  {"exists": false} is true if no leaf of its path could be chosen.
"""

import itertools
import json
import random

NAMES = ["a", "b", "c", "d", "d-"]


def leaves(value, path=(), places=(), arrays=None):
    arrays = arrays if arrays is not None else itertools.count()
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, path + (name,), places, arrays)
    elif isinstance(value, list):
        array = next(arrays)
        for i, element in enumerate(value):
            yield from leaves(element, path, places + ((array, i),), arrays)
    else:
        yield ".".join(path), value, dict(places)


def plain(pattern, path=(), before=({},)):
    """The patterns without $or that this one stands for, as fields by their path."""
    for name, value in pattern.items():
        if name == "$or":
            before = [p for branch in value for p in plain(branch, path, before)]
        elif isinstance(value, dict):
            before = plain(value, path + (name,), before)
        else:
            before = [{**p, ".".join(path + (name,)): value} for p in before]
    return before


def together(chosen, places):
    if any(chosen.get(array, i) != i for array, i in places.items()):
        return None
    return {**chosen, **places}


def is_absence(test):
    return test == {"exists": False}


def passes(test, value):
    if test == {"exists": True}:
        return True
    if isinstance(test, dict):
        return type(value) is not int or value != test["anything-but"]
    return type(test) is type(value) and test == value


def matches(fields, event, chosen=None):
    if not fields:
        return True
    path, tests = fields[0]
    chosen = chosen or {}
    fitting = [(value, now) for name, value, places in event
               if name == path and (now := together(chosen, places)) is not None]
    if any(map(is_absence, tests)) and not fitting and matches(fields[1:], event, chosen):
        return True
    return any(matches(fields[1:], event, now) for value, now in fitting
               if any(passes(t, value) for t in tests if not is_absence(t)))


def some_tests(r):
    return r.choice([[1], [2], ["x"], [1, "x"], [{"exists": True}], [{"anything-but": 1}],
                     [{"exists": False}], [{"exists": False}], [1, {"exists": False}]])


def some_pattern(r, depth):
    fields = [(name, some_pattern(r, depth - 1) if depth and r.random() < 0.5 else some_tests(r))
              for name in r.sample(NAMES, r.randint(1, 3))]
    if depth and r.random() < 0.35:
        branches = [some_pattern(r, depth - 1) for _ in range(r.randint(2, 3))]
        fields.insert(r.randint(0, len(fields)), ("$or", branches))
    return dict(fields)


def some_value(r, depth):
    kind = r.random()
    if not depth or kind < 0.2:
        return r.choice([1, 2, "x", None])
    if kind < 0.6:
        return {name: some_value(r, depth - 1) for name in r.sample(NAMES, r.randint(0, 4))}
    return [some_value(r, depth - 1) for _ in range(r.randint(0, 3))]


def is_contradiction(fields):
    """A field and one below it: refused by us."""
    return any(below.startswith(name + ".") for name in fields for below in fields)


def main():
    r = random.Random(1)
    left = {True: 250, False: 250}
    while any(left.values()):
        pattern = some_pattern(r, r.randint(1, 3))
        event = {name: some_value(r, 4) for name in r.sample(NAMES, r.randint(1, 5))}
        alternatives = plain(pattern)
        if any(map(is_contradiction, alternatives)) or len(str(pattern)) > 250:
            continue
        flat = list(leaves(event))
        match = any(matches(sorted(fields.items()), flat) for fields in alternatives)
        interesting = "[" in json.dumps(event) and len(alternatives[0]) > 1 and len(str(event)) < 250
        if interesting and left[match]:
            left[match] -= 1
            print(json.dumps({"pattern": pattern, "event": event, "match": match}))


if __name__ == "__main__":
    main()
