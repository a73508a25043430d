#include "config/loader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE_MAX (1ll << 30)

int text_read(const char *path, char **text, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0;
	struct stat status;
	size_t used = 0;

	if (fd < 0 || fstat(fd, &status)) {
		result = -errno;
		snprintf(error->text, sizeof(error->text), "%s: %m", path);
		goto out;
	}
	if (!S_ISREG(status.st_mode) || status.st_size > TEXT_SIZE_MAX) {
		result = -EINVAL;
		snprintf(error->text, sizeof(error->text),
			"%s: not a regular file of at most 1 GiB", path);
		goto out;
	}
	*text = malloc((size_t)status.st_size + 1);
	if (!*text) {
		result = -ENOMEM;
		snprintf(error->text, sizeof(error->text), "%s: %m", path);
		goto out;
	}
	while (used < (size_t)status.st_size) {
		ssize_t got = read(fd, *text + used, (size_t)status.st_size - used);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	(*text)[used] = '\0';
	if (memchr(*text, '\0', used)) {
		result = -EINVAL;
		snprintf(error->text, sizeof(error->text), "%s: holds a NUL octet", path);
		text_free(*text);
		*text = NULL;
	}
out:
	if (fd >= 0)
		close(fd);
	return result;
}

void text_free(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

/* Octets of a comment or string that starts at `at`, 0 when none does. */
static size_t skip_length(const char *at)
{
	const char *p = at;

	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*') {
		const char *end = strstr(p + 2, "*/");
		return end ? (size_t)(end + 2 - p) : strlen(p);
	}
	if (*p != '"')
		return 0;
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return (size_t)(p - at) + (*p == '"');
}

/* True when the last quote of a string is an escaped one. */
static bool ends_escaped(const char *at, size_t length)
{
	size_t slashes = 0;

	while (slashes + 2 < length && at[length - 2 - slashes] == '\\')
		slashes++;
	return slashes % 2;
}

/* True when the string or comment runs to the end of the text without its closing mark. */
static bool is_open(const char *at, size_t length)
{
	if (*at == '"')
		return length < 2 || at[length - 1] != '"' ||
		       (at[length] == '\0' && ends_escaped(at, length));
	return at[1] == '*' && at[0] == '/' &&
	       (length < 4 || at[length - 1] != '/' || at[length - 2] != '*');
}

/* A whole word: a name or a number. */
static size_t word_length(const char *at)
{
	size_t length = *at == '-' || *at == '+';

	while (isalnum((unsigned char)at[length]) || (at[length] && strchr("_.*@", at[length])) ||
		(at[length] == '-' && length && isalpha((unsigned char)at[0])))
		length++;
	return length;
}

enum number { NUMBER_NONE, NUMBER_NARROW, NUMBER_WIDE, NUMBER_TOO_LARGE };

static enum number number_width(const char *word, size_t length)
{
	char copy[40], *end;
	bool hex;

	if (!isdigit((unsigned char)word[word[0] == '-' || word[0] == '+']))
		return NUMBER_NONE;
	if (length >= sizeof(copy))
		return memchr(word, '.', length) ? NUMBER_NONE : NUMBER_TOO_LARGE;
	memcpy(copy, word, length);
	copy[length] = '\0';
	hex = strncasecmp(copy, "0x", 2) == 0;
	errno = 0;
	/* libconfig reads a leading 0 as decimal, so do we. */
	long long value = strtoll(copy, &end, hex ? 16 : 10);
	if (errno == ERANGE)
		return NUMBER_TOO_LARGE;
	if (*end) /* a float, or has its suffix already */
		return NUMBER_NONE;
	return value > INT32_MAX || value < INT32_MIN ? NUMBER_WIDE : NUMBER_NARROW;
}

static bool is_include(const char *word, size_t length)
{
	return length == 8 && memcmp(word, "@include", 8) == 0;
}

/* Copies one word; widens it when it is a large number. Returns the octets taken, 0 on refusal. */
static size_t copy_word(struct loader *loader, const char *at, unsigned line, char **out)
{
	size_t length = word_length(at);

	if (is_include(at, length)) {
		loader_fail(
			loader, line, "@include is not supported: the configuration is one file");
		return 0;
	}
	enum number width = number_width(at, length);
	if (width == NUMBER_TOO_LARGE) {
		loader_fail(loader, line, "number %.*s... does not fit",
			length > 20 ? 20 : (int)length, at);
		return 0;
	}
	memcpy(*out, at, length);
	*out += length;
	if (width == NUMBER_WIDE)
		*(*out)++ = 'L';
	return length;
}

char *text_prepare(struct loader *loader, const char *text)
{
	size_t size = strlen(text);
	char *copy = malloc(size + size / 8 + 2); /* a widened number has at least eight digits */
	char *out = copy;
	unsigned line = 1;

	if (!copy) {
		loader_fail(loader, 0, "out of memory");
		return NULL;
	}
	for (const char *at = text; *at;) {
		size_t length = skip_length(at);
		if (length && is_open(at, length)) {
			loader_fail(loader, line,
				*at == '"' ? "a string begins here and does not end"
					   : "a comment begins here and does not end");
			*out = '\0';
			text_free(copy);
			return NULL;
		}
		bool word = !length &&
			    (isalnum((unsigned char)*at) || strchr("_*@", *at) ||
				    ((*at == '-' || *at == '+') && isdigit((unsigned char)at[1])));
		if (word) {
			length = copy_word(loader, at, line, &out);
			if (!length) {
				*out = '\0';
				text_free(copy);
				return NULL;
			}
		} else {
			length = length ? length : 1;
			memcpy(out, at, length);
			out += length;
		}
		for (size_t i = 0; i < length; i++)
			line += at[i] == '\n';
		at += length;
	}
	*out = '\0';
	return copy;
}
