#include "rules/network.h"

#include <arpa/inet.h>
#include <string.h>

bool network_address(const char *text, size_t len, struct network *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof copy || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	out->family = memchr(text, ':', len) ? AF_INET6 : AF_INET;
	out->bits = out->family == AF_INET6 ? 128 : 32;
	return inet_pton(out->family, copy, out->address) == 1;
}

static bool prefix(const char *text, size_t len, unsigned most, unsigned *bits)
{
	*bits = 0;
	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*bits = *bits * 10 + (unsigned)(text[i] - '0');
	}
	return *bits <= most;
}

bool network_parse(const char *text, size_t len, struct network *out, struct err *err)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash ? (size_t)(slash - text) : len;

	*out = (struct network){0};
	if (!network_address(text, n, out)) {
		err_set(err,
			"\"%.*s\" is no address; a network is 10.0.0.0/8, 2001:db8::/32 or an "
			"address alone",
			len > 60 ? 60 : (int)len, text);
		return false;
	}
	if (slash && !prefix(slash + 1, len - n - 1, out->bits, &out->bits)) {
		err_set(err, "\"%.*s\": the number after the slash is 0 to %d",
			len > 60 ? 60 : (int)len, text, out->family == AF_INET ? 32 : 128);
		return false;
	}
	return true;
}

bool network_has(const struct network *n, const char *text, size_t len)
{
	struct network other = {0};
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (!network_address(text, len, &other) || other.family != n->family ||
	    memcmp(n->address, other.address, whole) != 0)
		return false;
	return !rest || (n->address[whole] ^ other.address[whole]) >> (8 - rest) == 0;
}

size_t network_key(const struct network *n, unsigned bits, char *out)
{
	size_t whole = bits / 8, rest = bits % 8;

	out[0] = (char)n->family;
	out[1] = (char)bits;
	memcpy(out + 2, n->address, whole);
	if (rest)
		out[2 + whole] = (char)(n->address[whole] & (0xff00 >> rest));
	return 2 + whole + (rest > 0);
}
