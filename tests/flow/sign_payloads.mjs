// Every payload of @octokit/webhooks-examples, signed by @octokit/webhooks-methods: one JSON
// line each, {event, body, signature}.
import { createRequire } from "node:module";
import { sign } from "@octokit/webhooks-methods";

const require = createRequire(import.meta.url);
const secret = process.argv[2];
for (const { name, examples } of require("@octokit/webhooks-examples/api.github.com/index.json")) {
	for (const example of examples) {
		const body = JSON.stringify(example);
		const signature = await sign(secret, body);
		process.stdout.write(JSON.stringify({ event: name, body, signature }) + "\n");
	}
}
