#include "wording.h"

#include <stddef.h>
#include <string.h>

#define PROJECT    "*{{ data.project | or(\"a project\") }}*"
#define VERSION    "{{ data.version | short | or(\"\") }}"
#define REASON     "{{ data.reason | cut(500) | or(\"no reason given\") }}"
#define LOG        "{{ data.log | or(\"\") }}"
#define AFTER      "after {{ data.seconds | duration | or(\"some time\") }}"
#define OBJECT     "s3://{{ data.bucket | or(\"?\") }}/{{ data.key | or(\"?\") }}"
#define ITEM       "*{{ data.table | or(\"a table\") }}*: item {{ subject | or(\"?\") }}"
#define REPOSITORY "*{{ data.repository.full_name | or(\"a repository\") }}*"
#define BRANCH     "{{ data.ref | strip(\"refs/heads/\") | or(\"?\") }}"
#define SENDER     "{{ data.sender.login | or(\"somebody\") }}"
#define COMMIT     "{{ data.head_commit.message | part(\"\\n\", 0) | cut(150) | or(\"\") }}"
#define TARGET     "*{{ data.target | or(\"a target\") }}*"

/* The first that fits is taken: a final * is any rest.  Values that may be absent stand at the
 * end, where what is left before them is trimmed. */
static const struct {
	const char *type, *text;
} wordings[] = {
	{"build.started", ":hourglass_flowing_sand: " PROJECT " is building " VERSION},
	{"build.succeeded", ":white_check_mark: " PROJECT " was built " AFTER " " VERSION},
	{"build.failed", ":x: " PROJECT " failed " AFTER ": " REASON " " LOG},
	{"build.stopped",
	 ":black_square_for_stop: " PROJECT " was stopped " AFTER ": " REASON " " LOG},
	{"build.timed-out", ":alarm_clock: " PROJECT " took too long, " AFTER ": " REASON " " LOG},
	{"build.*", PROJECT ": {{ type }} " VERSION},
	{"s3.object.changed", ":package: " OBJECT " changed"},
	{"s3.object.removed", ":wastebasket: " OBJECT " was removed"},
	{"s3.object.written", ":pencil2: " OBJECT " was written"},
	{"s3.object.unchanged", OBJECT " is unchanged"},
	{"dynamodb.item.inserted", ":new: " ITEM " is new"},
	{"dynamodb.item.modified", ":pencil2: " ITEM " changed"},
	{"dynamodb.item.removed", ":wastebasket: " ITEM " was removed"},
	{"dynamodb.stream.gap",
	 ":warning: *{{ data.table | or(\"a table\") }}*: changes are missing: " REASON},
	{"github.push", ":arrow_up: " REPOSITORY " " BRANCH
			" is now {{ data.after | short | or(\"?\") }}: " COMMIT},
	{"github.ref.deleted", ":wastebasket: " REPOSITORY " " BRANCH " was deleted"},
	{"github.pull_request.*",
	 ":twisted_rightwards_arrows: " REPOSITORY " pull request {{ data.number | or(\"?\") }} "
	 "{{ data.action | or(\"\") }} by " SENDER
	 ": {{ data.pull_request.title | cut(150) | or(\"\") }}"},
	{"github.release.*",
	 ":label: " REPOSITORY " release {{ data.release.tag_name | or(\"?\") }} "
	 "{{ data.action | or(\"\") }} by " SENDER},
	{"github.*", REPOSITORY " {{ type | strip(\"github.\") }} by " SENDER},
	{"pointsman.delivery.dead", ":skull: " TARGET " did not get {{ data.count | or(\"one\") }} "
				    "of its events: " REASON},
	{"pointsman.breaker.opened", ":rotating_light: " TARGET " is down: " REASON},
	{"pointsman.breaker.closed", ":white_check_mark: " TARGET " is back"},
	{"pointsman.source.stalled",
	 ":rotating_light: nothing heard from *{{ data.instance | or(\"a source\") }}* for "
	 "{{ data.seconds | duration | or(\"some time\") }}: " REASON},
	{"pointsman.group.dropped", ":warning: rule *{{ data.rule | or(\"?\") }}* gave up the "
				    "group {{ data.group | or(\"?\") }}"},
	{"pointsman.journal.damaged",
	 ":rotating_light: the journal was damaged; what is lost is in this event, {{ id }}"},
	{"pointsman.rule.fired",
	 "rule *{{ data.rule | or(\"?\") }}* fired {{ data.group | or(\"\") }}"},
	{"*", "*{{ type }}* {{ subject | or(\"\") }}"},
};

const char *wording_for(const char *type)
{
	size_t i = 0;

	for (;; i++) {
		size_t n = strlen(wordings[i].type);

		if (wordings[i].type[n - 1] == '*' ? strncmp(type, wordings[i].type, n - 1) == 0
						   : strcmp(type, wordings[i].type) == 0)
			return wordings[i].text;
	}
}
