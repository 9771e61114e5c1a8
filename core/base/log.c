#include "base/log.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUIET_MS  10000
#define MINUTE_MS 60000

struct said { /* a line said lately */
	uint64_t hash;
	int64_t at; /* of CLOCK_BOOTTIME */
	enum log_level level;
	uint64_t more; /* times it came since, unsaid */
	char *text;
};

static struct {
	pthread_mutex_t lock;
	enum log_level least;
	bool json, asked, systemd;
	struct buf *secrets; /* longest first, so that one inside another leaves nothing */
	size_t nsecrets, secrets_cap;
	struct said said[64];
	void (*sink)(enum log_level level, const char *line, void *arg);
	void *arg;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .least = LOG_INFO};

static const struct {
	const char *name;
	int priority; /* of syslog, as systemd reads it */
} levels[] = {{"debug", 7}, {"info", 6}, {"warn", 4}, {"error", 3}};

/* systemd says in JOURNAL_STREAM which pipe is the journal's; standard error may have
 * been redirected elsewhere since. */
static bool under_systemd(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_setup(enum log_level least, bool json)
{
	pthread_mutex_lock(&state.lock);
	state.least = least;
	state.json = json;
	pthread_mutex_unlock(&state.lock);
}

bool log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(word, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* What a line quotes may come from outside: it must not start a line of its own, move
 * the cursor of a terminal or break the JSON. */
static void add_clean(struct buf *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_read(text + i, len - i, NULL);
		if (p[i] == '\n')
			buf_text_add(out, "\\n");
		else if (n == 0 || p[i] < 0x20 || p[i] == 0x7f)
			buf_printf(out, "\\x%02x", p[i]);
		else
			buf_add(out, text + i, n);
	}
}

static void add_secret(struct buf value)
{
	size_t i = state.nsecrets;

	mem_room(state.secrets, state.nsecrets, state.secrets_cap);
	for (; i > 0 && state.secrets[i - 1].len < value.len; i--)
		state.secrets[i] = state.secrets[i - 1];
	state.secrets[i] = value;
	state.nsecrets++;
}

static bool is_known(const struct buf *value)
{
	for (size_t i = 0; i < state.nsecrets; i++) {
		if (strcmp(state.secrets[i].data, value->data) == 0)
			return true;
	}
	return false;
}

static void learn(struct buf value)
{
	if (is_known(&value))
		buf_free(&value);
	else
		add_secret(value);
}

/* Both as it is and as it stands inside JSON, which is where logs quote things from. */
void log_secret(const char *value)
{
	struct buf plain = {0}, json = {0};

	if (!value || strlen(value) < 4)
		return;
	buf_text_add(&plain, value);
	buf_json_escaped(&json, value, strlen(value));
	pthread_mutex_lock(&state.lock);
	learn(plain);
	learn(json);
	pthread_mutex_unlock(&state.lock);
}

static void unlearn(const char *value)
{
	for (size_t i = 0; i < state.nsecrets; i++) {
		if (strcmp(state.secrets[i].data, value) != 0)
			continue;
		buf_free(&state.secrets[i]);
		state.nsecrets--;
		memmove(&state.secrets[i], &state.secrets[i + 1],
			(state.nsecrets - i) * sizeof *state.secrets);
		return;
	}
}

void log_forget(const char *value)
{
	struct buf json = {0};

	if (!value)
		return;
	buf_json_escaped(&json, value, strlen(value));
	pthread_mutex_lock(&state.lock);
	unlearn(value);
	unlearn(buf_text(&json));
	pthread_mutex_unlock(&state.lock);
	buf_free(&json);
}

static void mask_one(struct buf *b, const struct buf *secret)
{
	struct buf out = {0};
	const char *rest = b->data, *hit;

	hit = memmem(b->data, b->len, secret->data, secret->len);
	if (!hit)
		return;
	for (; hit;
	     hit = memmem(rest, b->len - (size_t)(rest - b->data), secret->data, secret->len)) {
		buf_add(&out, rest, (size_t)(hit - rest));
		buf_text_add(&out, "***");
		rest = hit + secret->len;
	}
	buf_add(&out, rest, b->len - (size_t)(rest - b->data));
	buf_free(b);
	*b = out;
}

static void mask_all(struct buf *b)
{
	for (size_t i = 0; b->len && i < state.nsecrets; i++)
		mask_one(b, &state.secrets[i]);
}

void log_mask(struct buf *b)
{
	pthread_mutex_lock(&state.lock);
	mask_all(b);
	pthread_mutex_unlock(&state.lock);
}

static void put(const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, line, len);

		if (n <= 0)
			return; /* there is nowhere left to say so */
		line += n;
		len -= (size_t)n;
	}
}

static void print(enum log_level level, const char *text)
{
	struct world *w = world_real();
	struct buf line = {0};
	char now[32];

	if (state.sink) {
		state.sink(level, text, state.arg);
		return;
	}
	units_time_text(w->wall(w), now);
	if (!state.asked) {
		state.systemd = under_systemd();
		state.asked = true;
	}
	if (state.json) {
		buf_printf(&line, "{\"ts\":\"%s\",\"level\":\"%s\",\"msg\":", now,
			   levels[level].name);
		buf_json_string(&line, text, strlen(text));
		buf_text_add(&line, "}\n");
	} else if (state.systemd) {
		buf_printf(&line, "<%d>%-5s %s\n", levels[level].priority, levels[level].name,
			   text);
	} else {
		buf_printf(&line, "%s %-5s %s\n", now, levels[level].name, text);
	}
	put(line.data, line.len);
	buf_free(&line);
}

static void print_repeats(struct said *s)
{
	char *text;

	if (s->more == 0)
		return;
	text = mem_format("%s (%llu more times)", s->text, (unsigned long long)s->more);
	s->more = 0;
	print(s->level, text);
	free(text);
}

/* The count of a line that stopped coming is owed too; whichever line comes next brings
 * it along. */
static void settle(int64_t now)
{
	for (size_t i = 0; i < sizeof state.said / sizeof *state.said; i++) {
		if (state.said[i].text && now - state.said[i].at >= QUIET_MS)
			print_repeats(&state.said[i]);
	}
}

static void say(enum log_level level, const char *text)
{
	struct world *w = world_real();
	int64_t now = w->boot(w);
	uint64_t hash = hash64(text, strlen(text), (uint64_t)level);
	struct said *s = &state.said[hash % (sizeof state.said / sizeof *state.said)];

	settle(now);
	if (s->text && s->hash == hash && now - s->at < QUIET_MS) {
		s->more++;
		return;
	}
	if (s->text)
		print_repeats(s);
	free(s->text);
	*s = (struct said){hash, now, level, 0, mem_text(text)};
	print(level, text);
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
	struct buf raw = {0}, clean = {0};
	char *text = NULL;

	if (level < state.least)
		return;
	if (vasprintf(&text, fmt, ap) < 0)
		return;
	buf_text_add(&raw, text);
	pthread_mutex_lock(&state.lock);
	mask_all(&raw);
	add_clean(&clean, raw.data, raw.len);
	say(level, buf_text(&clean));
	pthread_mutex_unlock(&state.lock);
	free(text);
	buf_free(&raw);
	buf_free(&clean);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

/* Is there a line left of this minute? */
static bool take_line(struct log_limit *limit, uint32_t *more)
{
	struct world *w = world_real();
	int64_t now = w->boot(w);

	*more = 0;
	if (now >= limit->until) {
		*more = limit->more;
		*limit = (struct log_limit){.until = now + MINUTE_MS};
	}
	if (limit->said >= LOG_BURST) {
		limit->more++;
		return false;
	}
	limit->said++;
	return true;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint32_t more;
	char *text;
	va_list ap;

	if (!take_line(limit, &more))
		return;
	va_start(ap, fmt);
	text = mem_vformat(fmt, ap);
	va_end(ap);
	if (more)
		log_line(level, "%s (and before it %u more of this kind)", text, more);
	else
		log_line(level, "%s", text);
	free(text);
}

void log_capture(void (*sink)(enum log_level level, const char *line, void *arg), void *arg)
{
	pthread_mutex_lock(&state.lock);
	state.sink = sink;
	state.arg = arg;
	for (size_t i = 0; i < sizeof state.said / sizeof *state.said; i++) {
		free(state.said[i].text);
		state.said[i] = (struct said){0};
	}
	pthread_mutex_unlock(&state.lock);
}
