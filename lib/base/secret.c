#include "lib/base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void secret_wipe(void *memory, size_t length)
{
	explicit_bzero(memory, length);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int secret_from_hex(const char *hex, struct secret *out)
{
	size_t digits = strlen(hex);

	secret_wipe(out, sizeof(*out));
	if (digits == 0 || digits % 2 || digits / 2 > SECRET_SIZE_MAX)
		return -EINVAL;
	for (size_t i = 0; i < digits; i += 2) {
		int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
		if (high < 0 || low < 0) {
			secret_wipe(out, sizeof(*out));
			return -EINVAL;
		}
		out->bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	out->length = (uint16_t)(digits / 2);
	return 0;
}

bool secret_equal(const void *a, const void *b, size_t length)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < length; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}

void *secret_alloc(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	(void)mlock(memory,
		size); /* refused without the right: then it may reach swap, never a core file */
	(void)madvise(memory, size, MADV_DONTDUMP);
	return memory;
}

void secret_free(void *memory, size_t size)
{
	if (!memory)
		return;
	secret_wipe(memory, size);
	munmap(memory, size);
}
