/*
 * A main for fuzz targets without libFuzzer: runs every file of the named directories (or the named
 * files) once, in a heap block of exactly its size, and says so in TAP. A target fails by aborting.
 * Files are also replayed cut short at every length up to 256: the most common bug in a parser is
 * one octet too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FILE_SIZE_MAX (1u << 20)
#define CUTS_MAX      256

static unsigned replayed;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay_file(const char *path)
{
	static uint8_t data[FILE_SIZE_MAX];
	FILE *file = fopen(path, "rb");

	if (!file) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		return 1;
	}
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	run(data, size);
	for (size_t cut = 0; cut < size && cut < CUTS_MAX; cut++)
		run(data, cut);
	printf("ok %u - %s\n", ++replayed, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
	return 0;
}

static int replay_directory(const char *path)
{
	struct dirent **entries;
	int failed = 0;
	int count = scandir(path, &entries, NULL, alphasort);

	if (count < 0) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		return 1;
	}
	for (int i = 0; i < count; i++) {
		char name[4096];
		if (entries[i]->d_name[0] != '.' && !failed) {
			snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			failed = replay_file(name);
		}
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc && !failed; i++) {
		struct stat status;
		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
			failed = replay_directory(argv[i]);
		else
			failed = replay_file(argv[i]);
	}
	if (!failed && replayed == 0) {
		puts("Bail out! no corpus file: nothing would be tested");
		failed = 1;
	}
	printf("1..%u\n", replayed);
	return failed;
}
