#include "control/ctl/ctl.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(int fd, const char *name, char *error, size_t error_size)
{
	char *text = calloc(1, KEY_TEXT_MAX + 2);
	size_t used = 0;

	for (ssize_t got = 1; text && got > 0 && used <= KEY_TEXT_MAX;) {
		got = read(fd, text + used, KEY_TEXT_MAX + 1 - used);
		if (got < 0 && errno != EINTR) {
			snprintf(error, error_size, "%s: %s", name, strerror(errno));
			key_text_free(text);
			return NULL;
		}
		used += got > 0 ? (size_t)got : 0;
		got = got < 0 ? 1 : got;
	}
	if (!text || used == 0 || used > KEY_TEXT_MAX || memchr(text, '\0', used)) {
		snprintf(error, error_size, "%s holds no text of 1 to %d octets", name,
			KEY_TEXT_MAX);
		key_text_free(text);
		return NULL;
	}
	return text;
}

char *key_text_file(const char *path, char *error, size_t error_size)
{
	struct stat status;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status))
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
	else if (S_ISREG(status.st_mode) && status.st_mode & (S_IRWXG | S_IRWXO))
		snprintf(error, error_size, "%s is open to group or others: chmod 600 it", path);
	else
		text = read_all(fd, path, error, error_size);
	if (fd >= 0)
		close(fd);
	return text;
}

char *key_text_fd(const char *descriptor, char *error, size_t error_size)
{
	char name[40], *end;
	unsigned long fd = strtoul(descriptor, &end, 10);

	if (descriptor[0] < '0' || descriptor[0] > '9' || *end || fd > 65535) {
		snprintf(error, error_size, "key-fd \"%.20s\" is no descriptor", descriptor);
		return NULL;
	}
	snprintf(name, sizeof(name), "descriptor %lu", fd);
	return read_all((int)fd, name, error, error_size);
}

void key_text_free(char *text)
{
	if (text)
		secret_wipe(text, KEY_TEXT_MAX + 2);
	free(text);
}
