#include "tests/walk/walk_case.h"

#include <stdarg.h>
#include <stdlib.h>

static char message[512];

bool wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return false;
}

const char *wrong_text(void)
{
	return message;
}

/* Classic pcap, either byte order is not needed: Scapy writes the host's. */
FILE *pcap_open(const char *folder, const char *name)
{
	char path[640];
	uint8_t header[24];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file != NULL && fread(header, sizeof(header), 1, file) != 1) {
		fclose(file);
		return NULL;
	}
	return file;
}

bool pcap_read(FILE *file, struct frame *frame)
{
	uint32_t record[4];

	if (fread(record, sizeof(record), 1, file) != 1 || record[2] > sizeof(frame->octets))
		return false;
	frame->length = record[2];
	return fread(frame->octets, 1, frame->length, file) == frame->length;
}

const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

json_int_t number(const json_t *object, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

struct ip_address address_of(const json_t *object, const char *key, const char *otherwise)
{
	struct ip_address a = {.words = {0}};
	const char *value = text(object, key);

	if (value == NULL)
		value = otherwise;
	if (value != NULL && ip_address_parse(value, &a) != 0)
		abort();
	return a;
}
