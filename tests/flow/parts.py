"""Sections and events that many tests share."""

IN = """
[source in]
plugin = http-in
"""


def sink(name="out", more=""):
    """Posts to the stand-in, whose journal has it under the operation `name`."""
    return f"""
[sink {name}]
plugin = http
url = ${{env:CLOUD}}/sink/{name}
{more}
"""


def rule(name, on, do, more=""):
    return f"""
[rule {name}]
on = {on}
{more}
do = {do}
"""


def event(number=1, kind="order.placed", subject="a", **data):
    """A CloudEvents object; its id comes from its number."""
    return {"specversion": "1.0", "id": f"e{number}", "source": "shop", "type": kind,
            "subject": subject, "data": {"number": number, **data}}
