/* Writes docs/settings.md to stdout, or compares it with the file named as the only argument: exit
 * status 1 when they differ. */
#include "config/schema.h"

#include <stdlib.h>

static int differs(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	int result = !file;

	for (size_t i = 0; file && i <= size && !result; i++) {
		int c = getc(file);
		result = i < size ? c != (unsigned char)text[i] : c != EOF;
	}
	if (file)
		fclose(file);
	if (result)
		fprintf(stderr,
			"%s is not what config/schema.c says: write it anew with settings-document "
			"> %s\n",
			path, path);
	return result;
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return 1;
	schema_document(out);
	fclose(out);
	int result =
		argc > 1 ? differs(argv[1], text, size) : fwrite(text, 1, size, stdout) != size;
	free(text);
	return result;
}
