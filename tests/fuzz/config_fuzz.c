/*
 * The configuration: any text either loads or is refused with one line that names the text; what
 * loads prints as a text that loads again and prints the same.
 */
#include "config/config.h"
#include "tests/fuzz/fuzz_assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses a string that stands where the grammar wants none: some octets for each
 * refused file. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static char *print(const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	FUZZ_ASSERT(out);
	config_print(config, out, true);
	fclose(out);
	return text;
}

static void reads_back(struct config *config)
{
	char *text = print(config);
	struct config_error error = {""};
	struct config *again;

	if (config_load_string(text, "printed", &again, &error, NULL)) {
		fprintf(stderr, "%s\n%s\n", error.text, text);
		abort();
	}
	char *second = print(again);
	FUZZ_ASSERT(strcmp(text, second) == 0);
	FUZZ_ASSERT(config_reload_check(config, again, &error) == 0);
	free(text);
	free(second);
	config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error error = {""};
	struct config *config = NULL;
	char *text = malloc(size + 1);

	FUZZ_ASSERT(text);
	memcpy(text, data, size);
	text[size] = '\0';
	/* A key file would be read from this machine: another input, another day. */
	if (!strstr(text, "key_file")) {
		if (config_load_string(text, "fuzz", &config, &error, NULL)) {
			FUZZ_ASSERT(!config);
			FUZZ_ASSERT(
				strncmp(error.text, "fuzz:", 5) == 0 && !strchr(error.text, '\n'));
		} else {
			reads_back(config);
			config_free(config);
		}
	}
	free(text);
	return 0;
}
