#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int key_from_file(struct loader *loader, struct config_security *security)
{
	unsigned line = loader_line(loader, security, "key_file");
	struct config_error why;
	struct stat status;
	char *text = NULL;

	if (stat(security->key_file, &status))
		return loader_fail(loader, line, "key_file \"%s\": %m", security->key_file);
	if (status.st_mode & (S_IRWXG | S_IRWXO))
		return loader_fail(loader, line,
			"key_file \"%s\" is open to group or others: chmod 600 it",
			security->key_file);
	if (text_read(security->key_file, &text, &why))
		return loader_fail(loader, line, "key_file %s", why.text);
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
