#include "json/check.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/escape.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FEW 32 /* members that are compared one by one; more get a hash table */

struct name {
	size_t at, len;  /* between the quotes */
	uint64_t digest; /* of both ends of the plain text; equal names have equal ones */
	bool escaped;
};

struct checker {
	const char *text;
	size_t len, at;
	unsigned depth_left;
	const char *what;
	bool repeats;       /* a name may stand twice: none are kept */
	struct name *names; /* of all objects now open, outermost first */
	size_t nnames, names_cap;
	struct name first[FEW]; /* where `names` begins: most texts need no more */
	struct buf plain;       /* a name with escapes, resolved */
	uint64_t seed;
};

struct seen { /* the names of one open object */
	size_t base;
	uint32_t *slots; /* 1 + index into names; 0: free */
	size_t nslots;
};

static bool value(struct checker *c);

static bool fail(struct checker *c, size_t at, const char *what)
{
	c->at = at;
	c->what = what;
	return false;
}

/* Names come from strangers, so the hash must not be foreseeable: seeded with the random
 * bytes the kernel gives each process.  The verdict does not depend on it. */
static uint64_t seed(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t n = 0;

	if (random)
		memcpy(&n, random, sizeof n);
	return n;
}

static void blanks(struct checker *c)
{
	while (c->at < c->len) {
		char b = c->text[c->at];

		if (b != ' ' && b != '\n' && b != '\t' && b != '\r')
			return;
		c->at++;
	}
}

static bool next_is(struct checker *c, char wanted)
{
	return c->at < c->len && c->text[c->at] == wanted;
}

#define EACH(byte) (0x0101010101010101U * (byte))

static uint64_t zeros(uint64_t word)
{
	return (word - EACH(0x01)) & ~word & EACH(0x80);
}

/* The bytes of the word that end a plain run have their top bit set: quote, backslash,
 * control, and all that is not ASCII.  Above the lowest of them others may be set, too. */
static uint64_t stops(uint64_t word)
{
	return (word & EACH(0x80)) | ((word - EACH(0x20)) & ~word & EACH(0x80)) |
	       zeros(word ^ EACH('"')) | zeros(word ^ EACH('\\'));
}

static bool plain_byte(char b)
{
	return (unsigned char)b >= 0x20 && (unsigned char)b < 0x80 && b != '"' && b != '\\';
}

static size_t plain_run(const char *p, size_t len)
{
	size_t n = 0;
	uint64_t word, found;

#ifdef __SSE2__
	/* As signed bytes, controls and all that is not ASCII are below a blank. */
	for (; len - n >= 16; n += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + n));
		__m128i stop = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
					    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
							 _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
		unsigned mask = (unsigned)_mm_movemask_epi8(stop);

		if (mask)
			return n + (size_t)__builtin_ctz(mask);
	}
#endif
	for (; len - n >= sizeof word; n += sizeof word) {
		memcpy(&word, p + n, sizeof word);
		found = stops(word);
		if (!found)
			continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		return n + (size_t)__builtin_ctzll(found) / 8;
#else
		break;
#endif
	}
	while (n < len && plain_byte(p[n]))
		n++;
	return n;
}

static bool escape(struct checker *c)
{
	uint32_t ignored;
	size_t n = json_escape_read(c->text + c->at, c->len - c->at, &ignored);

	if (!n)
		return fail(c, c->at, "broken escape; surrogates come in pairs");
	c->at += n;
	return true;
}

/* At the opening quote.  `escaped` tells whether there are escapes inside. */
static bool string(struct checker *c, bool *escaped)
{
	*escaped = false;
	for (c->at++;;) {
		size_t n;

		c->at += plain_run(c->text + c->at, c->len - c->at);
		if (c->at == c->len)
			return fail(c, c->at, "the text ends inside a string");
		if (c->text[c->at] == '"')
			break;
		if (c->text[c->at] == '\\') {
			*escaped = true;
			if (!escape(c))
				return false;
			continue;
		}
		if ((unsigned char)c->text[c->at] < 0x20)
			return fail(c, c->at,
				    "control character in a string, write it as an escape");
		n = utf8_read(c->text + c->at, c->len - c->at, NULL);
		if (!n)
			return fail(c, c->at, "broken UTF-8");
		c->at += n;
	}
	c->at++;
	return true;
}

/* The name without escapes; good until the next call. */
static const char *plain_name(struct checker *c, const struct name *name, size_t *len)
{
	*len = name->len;
	if (!name->escaped)
		return c->text + name->at;
	buf_cut(&c->plain, 0);
	json_string_plain(c->text + name->at, name->len, &c->plain);
	*len = c->plain.len;
	return buf_text(&c->plain);
}

/* Cheaper than a hash, and enough to tell a few names apart. */
static uint64_t digest_of(struct checker *c, const struct name *name)
{
	uint64_t first = 0, last = 0;
	size_t len;
	const char *plain = plain_name(c, name, &len);

	if (len >= sizeof first) {
		memcpy(&first, plain, sizeof first);
		memcpy(&last, plain + len - sizeof last, sizeof last);
	} else {
		for (size_t i = 0; i < len; i++)
			first = first << 8 | (unsigned char)plain[i];
	}
	return first + last * 31 + len;
}

static bool same_name(struct checker *c, const struct name *a, const struct name *b)
{
	size_t len;
	const char *plain;

	if (a->digest != b->digest)
		return false;
	plain = plain_name(c, a, &len);
	return json_string_is(c->text + b->at, b->len, plain, len);
}

static size_t slot_of(struct checker *c, const struct seen *s, const struct name *name)
{
	size_t len;
	const char *plain = plain_name(c, name, &len);

	return hash64(plain, len, c->seed) & (s->nslots - 1);
}

static void slots_rebuild(struct checker *c, struct seen *s)
{
	free(s->slots);
	s->nslots = s->nslots ? s->nslots * 4 : 8 * FEW;
	s->slots = mem_zero(s->nslots * sizeof *s->slots);
	for (size_t i = s->base; i < c->nnames; i++) {
		size_t at = slot_of(c, s, &c->names[i]);

		while (s->slots[at])
			at = (at + 1) & (s->nslots - 1);
		s->slots[at] = (uint32_t)(i + 1);
	}
}

static bool seen_in_table(struct checker *c, struct seen *s, const struct name *name)
{
	size_t at;

	if ((c->nnames - s->base) * 2 >= s->nslots)
		slots_rebuild(c, s);
	for (at = slot_of(c, s, name); s->slots[at]; at = (at + 1) & (s->nslots - 1)) {
		if (same_name(c, &c->names[s->slots[at] - 1], name))
			return true;
	}
	s->slots[at] = (uint32_t)(c->nnames + 1);
	return false;
}

static bool seen_before(struct checker *c, struct seen *s, const struct name *name)
{
	if (c->nnames - s->base >= FEW)
		return seen_in_table(c, s, name);
	for (size_t i = s->base; i < c->nnames; i++) {
		if (same_name(c, &c->names[i], name))
			return true;
	}
	return false;
}

static void keep_name(struct checker *c, const struct name *name)
{
	if (c->nnames == c->names_cap) {
		struct name *old = c->names == c->first ? NULL : c->names;

		c->names_cap *= 2;
		c->names = mem_grow(old, c->names_cap, sizeof *c->names);
		if (!old)
			memcpy(c->names, c->first, sizeof c->first);
	}
	c->names[c->nnames++] = *name;
}

static bool member_name(struct checker *c, struct seen *s)
{
	struct name name = {.at = c->at + 1};

	if (!next_is(c, '"'))
		return fail(c, c->at, "a member name in double quotes was expected");
	if (!string(c, &name.escaped))
		return false;
	if (c->repeats)
		return true;
	name.len = c->at - 1 - name.at;
	name.digest = digest_of(c, &name);
	if (seen_before(c, s, &name))
		return fail(c, name.at - 1, "duplicate member name");
	keep_name(c, &name);
	return true;
}

static bool members(struct checker *c, struct seen *s)
{
	for (;;) {
		blanks(c);
		if (!member_name(c, s))
			return false;
		blanks(c);
		if (!next_is(c, ':'))
			return fail(c, c->at, "a colon was expected after the member name");
		c->at++;
		if (!value(c))
			return false;
		if (next_is(c, '}'))
			return true;
		if (!next_is(c, ','))
			return fail(c, c->at, "a comma or } was expected");
		c->at++;
	}
}

static bool elements(struct checker *c)
{
	for (;;) {
		if (!value(c))
			return false;
		if (next_is(c, ']'))
			return true;
		if (!next_is(c, ','))
			return fail(c, c->at, "a comma or ] was expected");
		c->at++;
	}
}

static bool container(struct checker *c, char close)
{
	struct seen seen = {.base = c->nnames};
	bool ok;

	if (!c->depth_left)
		return fail(c, c->at, "nested too deep");
	c->depth_left--;
	c->at++;
	blanks(c);
	ok = next_is(c, close) || (close == '}' ? members(c, &seen) : elements(c));
	c->at += ok;
	free(seen.slots);
	c->nnames = seen.base;
	c->depth_left++;
	return ok;
}

static bool digits(struct checker *c)
{
	size_t from = c->at;

	while (c->at < c->len && c->text[c->at] >= '0' && c->text[c->at] <= '9')
		c->at++;
	return c->at > from || fail(c, c->at, "a digit was expected");
}

static bool number(struct checker *c)
{
	c->at += next_is(c, '-');
	if (next_is(c, '0')) {
		c->at++;
		if (c->at < c->len && c->text[c->at] >= '0' && c->text[c->at] <= '9')
			return fail(c, c->at - 1, "a number may not begin with 0");
	} else if (!digits(c)) {
		return false;
	}
	if (next_is(c, '.')) {
		c->at++;
		if (!digits(c))
			return false;
	}
	if (next_is(c, 'e') || next_is(c, 'E')) {
		c->at++;
		c->at += next_is(c, '+') || next_is(c, '-');
		return digits(c);
	}
	return true;
}

static bool word(struct checker *c, const char *text)
{
	size_t n = strlen(text);

	if (c->len - c->at < n || memcmp(c->text + c->at, text, n) != 0)
		return fail(c, c->at, "not a JSON value");
	c->at += n;
	return true;
}

static bool bare_value(struct checker *c)
{
	bool escaped;

	if (c->at == c->len)
		return fail(c, c->at, "the text ends where a value was expected");
	switch (c->text[c->at]) {
	case '{': return container(c, '}');
	case '[': return container(c, ']');
	case '"': return string(c, &escaped);
	case 't': return word(c, "true");
	case 'f': return word(c, "false");
	case 'n': return word(c, "null");
	default:
		if (next_is(c, '-') || (c->text[c->at] >= '0' && c->text[c->at] <= '9'))
			return number(c);
		return fail(c, c->at, "not a JSON value");
	}
}

static bool value(struct checker *c)
{
	blanks(c);
	if (!bare_value(c))
		return false;
	blanks(c);
	return true;
}

static void locate(const struct checker *c, struct json_fault *fault)
{
	*fault = (struct json_fault){c->at, 1, 1, c->what};
	for (size_t i = 0; i < c->at; i++) {
		fault->column++;
		if (c->text[i] == '\n') {
			fault->line++;
			fault->column = 1;
		}
	}
}

static bool check(struct checker *c, struct json_fault *fault)
{
	bool ok;

	if (c->len >= UINT32_MAX)
		ok = fail(c, 0, "over 4 GB");
	else
		ok = value(c) && (c->at == c->len || fail(c, c->at, "text after the value"));
	if (!ok && fault)
		locate(c, fault);
	if (c->names != c->first)
		free(c->names);
	buf_free(&c->plain);
	return ok;
}

/* Only what is read before it is written is set: `first` is large. */
static void begin(struct checker *c, const char *text, size_t len, unsigned max_depth, bool repeats)
{
	c->text = text;
	c->len = len;
	c->at = c->nnames = 0;
	c->depth_left = max_depth;
	c->what = NULL;
	c->repeats = repeats;
	c->names = c->first;
	c->names_cap = FEW;
	c->plain = (struct buf){0};
	c->seed = seed();
}

bool json_check(const char *text, size_t len, unsigned max_depth, struct json_fault *fault)
{
	struct checker c;

	begin(&c, text, len, max_depth, false);
	return check(&c, fault);
}

bool json_check_repeats(const char *text, size_t len, unsigned max_depth, struct json_fault *fault)
{
	struct checker c;

	begin(&c, text, len, max_depth, true);
	return check(&c, fault);
}
