/*
 * compiled - the inside of matcher.h's struct matcher, for this folder only.
 *
 * A *field* is a node of the trie of paths.  Fields whose elements some `any` is about are
 * *scopes*; scope 0 is the event itself.  A *signal* is something that is true or not within
 * the element of its scope that the walk is in: that a field has some value, or that a
 * condition inside an element of an inner scope was met.  A *condition* belongs to a scope and
 * is decided when an element of it ends; it gives a rule that matched, or a signal of the scope
 * around.
 *
 * An *eager* signal is raised by the walk, through the index of its field.  A *lazy* one is
 * decided when a condition asks for it, over the values the walk has kept.  Each condition
 * watches the fewest, rarest signals without one of which it cannot be met; what is watched is
 * eager.
 */
#ifndef POINTSMAN_MATCHER_COMPILED_H
#define POINTSMAN_MATCHER_COMPILED_H

#include "matcher/intervals.h"
#include "matcher/keytable.h"
#include "matcher/matcher.h"
#include "rules/change.h"
#include "rules/operand.h"
#include "rules/regexset.h"
#include "json/find.h"

#include <math.h>

#define NONE UINT32_MAX

/* Fields of the top: where paths begin. */
enum top { TOP_DATA, TOP_TYPE, TOP_SOURCE, TOP_SUBJECT, TOP_TIME, TOP_ID, TOP_INSTANCE, TOPS };

/* A link says which signal a value raises; with LINK_CHECK only if its test holds. */
#define LINK_CHECK   1U
#define LINK(signal) ((uint32_t)(signal) << 1)
#define LINKED(link) ((link) >> 1)
/* Several links behind one number: LINKS_MANY and where in `links` their count stands. */
#define LINKS_MANY 0x80000000U

/* What a key of the table is; the place of a key is its field and its class. */
enum key_class {
	KEY_TEXT,
	KEY_PREFIX,
	KEY_SUFFIX, /* from the end backwards */
	KEY_FOLDED, /* of the three, without upper and lower case */
	KEY_FOLDED_PREFIX,
	KEY_FOLDED_SUFFIX,
	KEY_GRAM,    /* stands anywhere in the text */
	KEY_NUMBER,  /* the bytes of a double */
	KEY_ADDRESS, /* bits, and the bytes of an address cut to them */
	KEY_CLASSES
};
#define KEY_PLACE(field, class) ((uint32_t)(field)*KEY_CLASSES + (class))

struct child {         /* a member of an object that some path goes on with */
	uint64_t head; /* the first eight bytes of its name */
	uint32_t len;
	uint32_t field;
	uint32_t twin; /* the field of the same name that means an element; or NONE */
	const char *name;
};

struct special { /* an element of an array, or, with PATH_COUNT, their number */
	long index;
	uint32_t field;
};

struct span { /* so many of an array of the matcher, from there on */
	uint32_t first, n;
};

struct field {
	uint64_t name_lengths; /* a bit for each length that names of its children have, to 63 */
	struct span children;  /* of `children` */
	struct span specials;  /* of `specials`, by index */
	uint32_t slots;        /* where its hash table of children begins, in `slots`; or NONE */
	uint32_t slot_mask;
	uint32_t scope;  /* or NONE */
	uint32_t lookup; /* or NONE */
};

/* Everything that is compared with the values of one field. */
struct lookup {
	uint32_t field;
	uint16_t classes; /* a bit for each key_class it has */
	bool numbers;     /* a number is looked up */
	bool plural;      /* each element of an array counts */
	bool keep;        /* values are kept, in list `kept` */
	uint32_t kept;
	uint32_t there, leaf, string, null, yes, no; /* links */
	uint32_t regexes;                            /* of `regexsets`; or NONE */
	struct span buts;                            /* of `buts` */
	struct span intervals;                       /* of `intervals` */
	struct span lengths[KEY_CLASSES]; /* of `lengths`: how long its keys are, ascending */
};

/* `anything-but`: true of a value that does not raise the signal of what it must not be. */
struct but {
	uint32_t signal, plain;
};

struct signal {
	uint32_t home;  /* scope */
	uint32_t watch; /* of `watchers`: conditions, up to those of the next signal */
	uint32_t test;  /* of `tests`; or NONE */
};

struct test {
	enum expr_op op;
	bool but, above, below;
	bool lazy;
	uint32_t lookup; /* where its values are kept, if it is lazy; or NONE */
	uint32_t other;  /* lookup of the path on the right; or NONE */
	struct operand *operands;
	size_t n;
	struct change *change; /* of CHANGED */
};

#define CODE_SIGNAL 0U
#define CODE_NOT    1U
#define CODE_AND    2U
#define CODE_OR     3U
#define CODE(op, n) ((op) << 30 | (uint32_t)(n))
#define CODE_OP(w)  ((w) >> 30)
#define CODE_N(w)   ((w)&0x3fffffffU) /* a signal, or how many words follow */

struct condition {
	uint32_t scope;
	uint32_t code; /* where it begins; NONE: met as soon as its signal is raised */
	uint32_t out;  /* in scope 0 a rule, else a signal */
};

struct matcher {
	uint64_t serial;    /* another one for each of the process; never 0 */
	struct arena arena; /* names, tests and what they compare with */
	struct field *fields;
	struct child *children;
	struct special *specials;
	uint32_t *slots; /* 1 + index into children; 0: free */
	struct lookup *lookups;
	uint32_t *lengths, *links;
	struct keytable keys;
	struct interval *intervals;
	struct regexset **regexsets;
	struct but *buts;
	struct signal *signals; /* and one behind them */
	uint32_t *watchers;
	struct test *tests;
	struct condition *conditions;
	uint32_t *code;
	struct span *always; /* by scope: of `constants`: conditions that watch nothing */
	uint32_t *constants;
	unsigned attributes; /* a bit for each enum top that is asked about, but TOP_DATA */
	size_t nrules, nfields, nlookups, nkept, nregexsets, nsignals, ntests, nconditions, nscopes;
	size_t bytes;
};

#define FEW_DIGITS 15 /* numbers of so many are told apart by their doubles */

/* What a number is looked up by.  *check: another one may have the same. */
static inline double number_key(const char *text, size_t len, bool *check)
{
	double number = json_number_double(text, len);

	*check = len > FEW_DIGITS || isinf(number);
	return number == 0 ? 0 : number; /* without its sign */
}

/* Everything that is compared with the values of the field, or NULL. */
static inline const struct lookup *lookup_of_field(const struct matcher *m, const struct field *f)
{
	return f->lookup == NONE ? NULL : &m->lookups[f->lookup];
}

static inline uint64_t name_head(const char *name, size_t len)
{
	uint64_t head;

	if (len < sizeof head)
		return key_tail(name, len);
	memcpy(&head, name, sizeof head);
	return head;
}

static inline uint32_t name_slot(uint64_t head, size_t len)
{
	return (uint32_t)(key_mix(head ^ len, 0xa0761d6478bd642fU) >> 32);
}

#endif
