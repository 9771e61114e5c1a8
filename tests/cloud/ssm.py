"""SSM's parameter store: GetParameter."""

import time

from .wire import ACCOUNT, REGION, JsonService, Refusal, need


class SSM(JsonService):
    name = "ssm"
    prefix = "AmazonSSM"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.parameters = {}  # name: (value, version, changed at)

    def GetParameter(self, args):
        name = need(args, "Name")
        if name not in self.parameters:
            raise Refusal(400, "ParameterNotFound", f"Parameter {name} not found.")
        value, version, at = self.parameters[name]
        if not args.get("WithDecryption"):
            value = "AQICAHencrypted=="
        return {"Parameter": {"Name": name, "Type": "SecureString", "Value": value,
                              "Version": version, "LastModifiedDate": at, "DataType": "text",
                              "ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"}}

    # Levers.

    def do_set(self, name, value):
        version = self.parameters.get(name, ("", 0, 0))[1] + 1
        self.parameters[name] = (value, version, time.time())
