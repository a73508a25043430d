#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The text of a key file, which the caller frees with text_free; NULL after telling the loader. */
static char *read_key_file(struct loader *loader, unsigned line, const char *path)
{
	struct config_error why;
	struct stat status;
	char *text = NULL;

	if (stat(path, &status))
		loader_fail(loader, line, "key_file \"%s\": %m", path);
	else if (status.st_mode & (S_IRWXG | S_IRWXO))
		loader_fail(loader, line,
			"key_file \"%s\" is open to group or others: chmod 600 it", path);
	else if (text_read(path, &text, &why))
		loader_fail(loader, line, "key_file %s", why.text);
	else
		return text;
	return NULL;
}

static int key_from_file(struct loader *loader, struct config_security *security)
{
	unsigned line = loader_line(loader, security, "key_file");
	char *text = read_key_file(loader, line, security->key_file);

	if (!text)
		return -EINVAL;
	text[strcspn(text, " \t\r\n")] = '\0';
	int result = secret_from_hex(text, &security->key);
	text_free(text);
	return result ? loader_fail(loader, line, "key_file \"%s\" holds no key in hex",
				security->key_file)
		      : 0;
}

int key_load(struct loader *loader, struct config_security *security)
{
	bool given = loader_mentions(loader, security, "key");

	if (given && security->key_file[0])
		return loader_fail(loader, loader_line(loader, security, "key"),
			"key and key_file exclude each other");
	if (security->key_file[0])
		return key_from_file(loader, security);
	if (given)
		return 0;
	return loader_fail(loader, loader_line(loader, security, "key"),
		"security context has neither key nor key_file");
}

/* "in HEX": the key behind the word; what is left of the line must be blank. */
static int take_key(const char *line, size_t length, struct secret *out)
{
	char hex[2 * SECRET_SIZE_MAX + 1];
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (out->length || digits >= sizeof(hex) || digits > length ||
		strspn(line + digits, " \t\r") < length - digits)
		return -EINVAL;
	memcpy(hex, line, digits);
	hex[digits] = '\0';
	int result = secret_from_hex(hex, out);
	secret_wipe(hex, sizeof(hex));
	return result;
}

static int take_key_line(const char *line, size_t length, struct secret *in, struct secret *out)
{
	size_t blank = strspn(line, " \t\r");

	if (blank >= length || line[blank] == '#')
		return 0;
	line += blank;
	length -= blank;
	struct secret *which = length > 3 && memcmp(line, "in", 2) == 0    ? in
			       : length > 4 && memcmp(line, "out", 3) == 0 ? out
									   : NULL;
	size_t word = which == in ? 2 : 3;
	if (!which || (line[word] != ' ' && line[word] != '\t'))
		return -EINVAL;
	word += strspn(line + word, " \t");
	return word < length ? take_key(line + word, length - word, which) : -EINVAL;
}

int config_key_parse_pair(const char *text, struct secret *in, struct secret *out)
{
	int result = 0;

	secret_wipe(in, sizeof(*in));
	secret_wipe(out, sizeof(*out));
	while (*text && !result) {
		size_t length = strcspn(text, "\n");
		result = take_key_line(text, length, in, out);
		text += length + (text[length] == '\n');
	}
	if (!result && in->length && out->length)
		return 0;
	secret_wipe(in, sizeof(*in));
	secret_wipe(out, sizeof(*out));
	return -EINVAL;
}

int key_load_pair(struct loader *loader, struct config_security_association *association)
{
	unsigned line = loader_line(loader, association, "key_file");
	bool in = loader_mentions(loader, association, "key_in"),
	     out = loader_mentions(loader, association, "key_out");

	if (!association->key_file[0] && in && out)
		return 0;
	if (!association->key_file[0])
		return loader_fail(loader, line,
			"security association \"%s\" has neither key_in and key_out nor key_file",
			association->name);
	if (in || out)
		return loader_fail(loader,
			loader_line(loader, association, in ? "key_in" : "key_out"),
			"key_in and key_out exclude key_file");
	char *text = read_key_file(loader, line, association->key_file);
	if (!text)
		return -EINVAL;
	int result = config_key_parse_pair(text, &association->key_in, &association->key_out);
	text_free(text);
	return result ? loader_fail(loader, line,
				"key_file \"%s\" holds no two lines \"in HEX\" and \"out HEX\"",
				association->key_file)
		      : 0;
}
