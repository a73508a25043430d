/* Invariants of fuzz targets: always checked, also with NDEBUG, and loud. */
#ifndef TESTS_FUZZ_FUZZ_ASSERT_H
#define TESTS_FUZZ_FUZZ_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_ASSERT(condition)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
