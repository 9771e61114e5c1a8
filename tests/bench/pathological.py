"""Rules and events made to take long: (name, patterns or expressions, events)."""

import json

from .data import compact


def on_a(*matchers):
    return [json.dumps({"a": [matcher]}) for matcher in matchers]


def nested(depth, value):
    return '{"a":' * depth + value + "}" * depth


def cases():
    return texts() + depths() + widths() + arrays()


def texts():
    stars = "*".join(["a"] * 30) + "*b"
    long = [json.dumps({"a": "a" * 60000 + "c"})]
    return [
        ("wildcard of 30 stars, text of 60 kB", on_a({"wildcard": stars}), long),
        ("100 wildcards of 30 stars, text of 60 kB",
         on_a(*({"wildcard": f"*{n:02}{stars}"} for n in range(100))), long),
        ("1,000 wildcards `*a*b*NNN*`, text of 1 kB",
         on_a(*({"wildcard": f"*a*b*{n:03}*"} for n in range(1000))),
         [json.dumps({"a": "ab" * 500 + f"{n:03}"}) for n in range(100)]),
        ("regexps `(a*)*b`, `(aa?)+b`, text of 60 kB",
         on_a({"regexp": "(a*)*b"}, {"regexp": "(aa?)+b"}), long),
        ("regexps `.*a.{20}`, `.*b.{30}`, text of 2 kB of a and b",
         on_a({"regexp": ".*a.{20}"}, {"regexp": ".*b.{30}"}),
         [json.dumps({"a": "".join("ab"[n * k % 7 % 2] for k in range(2000))})
          for n in range(1, 50)]),
    ]


def depths():
    return [
        ("objects nested 120 deep", [nested(60, '["x"]')], [nested(120, '"x"')] * 100),
        ("arrays nested 120 deep", on_a("x"), ['{"a":' + "[" * 120 + '"x"' + "]" * 120 + "}"] * 100),
    ]


def widths():
    fields = {f"field-{n}": n for n in range(10000)}
    return [
        ("10,000 fields, a rule on each", [json.dumps({name: [n]}) for name, n in fields.items()],
         [compact(fields)] * 4),
        ("10,000 fields, each rule on all of 100",
         [json.dumps({f"field-{n}": [{"exists": True}] for n in range(k, k + 100)})
          for k in range(0, 10000, 100)], [compact(fields)] * 4),
        ("$or of 100 branches of three fields",
         [json.dumps({"$or": [{"a": [n], "b": [n], "c": [n]} for n in range(100)]})],
         [compact({"a": n, "b": n, "c": n + n // 90}) for n in range(100)]),
    ]


def arrays():
    numbers = [compact({"a": list(range(100000))})]
    objects = [compact({"a": [{"id": n, "state": "off"} for n in range(10000)]})]
    return [
        ("array of 100,000 numbers, numeric range and anything-but",
         on_a({"numeric": [">", 100000]}, {"anything-but": list(range(1000))}), numbers),
        ("array of 10,000 objects, 1,000 rules on one by its number",
         [f"data.a.{n}.id == {n + 1}" for n in range(0, 10000, 10)], objects),
        ("array of 10,000 objects, 100 rules `any .. (not ..)`",
         [f'any data.a (not (state == "off" or id > {n}))' for n in range(100)], objects),
        ("array of 10,000 objects, 1,000 rules `any ..` on two fields",
         [f'any data.a (id == {n} and state == "on")' for n in range(1000)], objects),
        ("two arrays of 900 numbers, pair by pair",
         ["data.a == data.b", "data.a > data.b"],
         [compact({"a": list(range(900)), "b": list(range(1000, 1900))})]),
    ]
