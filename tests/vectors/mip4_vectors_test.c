/*
 * All 74 worked packets of mip4_vectors.json (requirement list, section 25). Each is a test of its
 * own: signalling goes through the home agent engine and what leaves is compared octet by octet
 * with the vector of the reply; packets of the data plane name the source file whose test plays
 * them, and that file must mention the vector. A vector that nobody covers fails.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/vectors/mip4_plays.h"

#include "lib/ipc/command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct vector vectors[128];
static unsigned vector_count;
static json_t *vector_root; /* names borrow from it */
static const char *tests_folder;

const struct vector *vector_find(const char *prefix)
{
	for (unsigned i = 0; i < vector_count; i++)
		if (strncmp(vectors[i].name, prefix, strlen(prefix)) == 0)
			return &vectors[i];
	fail_msg("no vector %s", prefix);
	return NULL;
}

enum cover {
	BY_FUNCTION, /* played here */
	BY_CODE,
	BY_DROP,
	BY_131,
	BY_ENCAPSULATION,
	BY_OTHER, /* emitted in the play of another vector */
	BY_FILE,  /* data plane: a test file under tests/ names it */
};

static const struct plan {
	const char *name; /* prefix */
	enum cover cover;
	int value;
	void (*function)(void);
	const char *where;
} plans[] = {
	{"V01", BY_FUNCTION, 0, play_v01},
	{"V02", BY_OTHER, 0, play_v01, "V01"},
	{"V03", BY_FUNCTION, 0, play_v03},
	{"V04", BY_OTHER, 0, play_v03, "V03"},
	{"V05", BY_FILE, 0, NULL, "walk"},
	{"V06", BY_FILE, 0, NULL, "walk"},
	{"V07", BY_FILE, 0, NULL, "walk"},
	{"V08", BY_FUNCTION, 0, play_v08},
	{"V09", BY_OTHER, 0, play_v08, "V08"},
	{"V10", BY_FUNCTION, 0, play_v10},
	{"V11", BY_FUNCTION, 0, play_v11},
	{"V12", BY_FUNCTION, 0, play_v12},
	{"V13", BY_OTHER, 0, play_v12, "V12"},
	{"V14", BY_FUNCTION, 0, play_v14},
	{"V15", BY_OTHER, 0, play_v14, "V14"},
	{"V16", BY_OTHER, 0, play_v14, "V14"},
	{"V17", BY_OTHER, 0, play_v14, "V14"},
	{"V18", BY_FUNCTION, 0, play_v18},
	{"V19", BY_OTHER, 0, play_v18, "V18"},
	{"V20", BY_FUNCTION, 0, play_v20},
	{"V21", BY_FILE, 0, NULL, "walk"},
	{"V22", BY_FILE, 0, NULL, "walk"},
	{"V23", BY_FILE, 0, NULL, "walk"},
	{"V24", BY_FILE, 0, NULL, "walk"},
	{"V25", BY_FUNCTION, 0, play_v25},
	{"V26", BY_OTHER, 0, play_v25, "V25"},
	{"V27", BY_FILE, 0, NULL, "walk"},
	{"V28", BY_FILE, 0, NULL, "walk"},
	{"V29", BY_FILE, 0, NULL, "walk"},
	{"V30", BY_FUNCTION, 0, play_v30},
	{"V31", BY_OTHER, 0, play_v30, "V30"},
	{"V32", BY_FUNCTION, 0, play_v32},
	{"V33", BY_FUNCTION, 0, play_v33},
	{"V34", BY_CODE, 140},
	{"V35", BY_FILE, 0, NULL, "walk"},
	{"V36", BY_ENCAPSULATION, ENCAPSULATION_GRE},
	{"V37", BY_ENCAPSULATION, ENCAPSULATION_MINIMAL},
	{"V38", BY_FUNCTION, 0, play_v38},
	{"N01", BY_DROP, MIP4_RX_SHORT},
	{"N02", BY_DROP, MIP4_NO_AUTH_EXT},
	{"N03", BY_DROP, MIP4_EXT_OVERRUN_COUNT},
	{"N04", BY_DROP, MIP4_EXT_OVERRUN_COUNT},
	{"N05", BY_DROP, MIP4_EXT_BADLEN_COUNT},
	{"N06", BY_131},
	{"N07", BY_131},
	{"N08", BY_DROP, MIP4_UNKNOWN_EXT_NONSKIP},
	{"N09", BY_CODE, 0},
	{"N10", BY_CODE, 0},
	{"N11", BY_CODE, 0},
	{"N12", BY_131},
	{"N13", BY_FUNCTION, 0, play_n13},
	{"N14", BY_FILE, 0, NULL, "walk"},
	{"N15", BY_CODE, 0},
	{"N16", BY_CODE, 134},
	{"N17", BY_CODE, 134},
	{"N18", BY_CODE, 129},
	{"N19", BY_CODE, 142},
	{"N20", BY_FUNCTION, 0, play_n20},
	{"N21", BY_FILE, 0, NULL, "walk"},
	{"N22", BY_FILE, 0, NULL, "walk"},
	{"N23", BY_FILE, 0, NULL, "walk"},
	{"N24", BY_FILE, 0, NULL, "walk"},
	{"N25", BY_FILE, 0, NULL, "walk"},
	{"N26", BY_FILE, 0, NULL, "walk"},
	{"N27", BY_DROP, MIP4_RX_UNKNOWN_TYPE},
	{"N28", BY_DROP, MIP4_RX_UNEXPECTED_RRP},
	{"N29", BY_FILE, 0, NULL, "walk"},
	{"N30", BY_CODE, 0},
	{"N31", BY_131},
	{"N32", BY_CODE, 129},
	{"N33", BY_DROP, MIP4_NO_MSA},
	{"N34", BY_CODE, 132},
	{"N35", BY_FILE, 0, NULL, "walk"},
	{"N36", BY_FILE, 0, NULL, "walk"},
};

/* Does a test source under tests/<where> name this vector as a word? */
static bool mentioned(const char *where, const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
		"grep -rqE --include='*.c' --include='*.py' --include='*.h' '\\b%.3s\\b' '%s/%s' "
		"2>/dev/null",
		name, tests_folder, where);
	return system(command) ==
	       0; /* NOLINT(cert-env33-c): a test's look into its own source tree */
}

static bool folder_exists(const char *where)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/meson.build", tests_folder, where);
	return access(path, R_OK) == 0;
}

static void vector_test(void **state)
{
	const struct vector *v = *state;
	const struct plan *plan = NULL;

	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		if (strncmp(plans[i].name, v->name, 3) == 0)
			plan = &plans[i];
	if (!plan)
		fail_msg("%s is covered by nobody", v->name);
	switch (plan->cover) {
	case BY_FUNCTION:
	case BY_OTHER:
		plan->function();
		break;
	case BY_CODE:
		play_code(v->name, plan->value);
		break;
	case BY_DROP:
		play_drop(v->name, (enum mip4_counter)plan->value);
		break;
	case BY_131:
		play_authentication(v->name);
		break;
	case BY_ENCAPSULATION:
		play_encapsulation(v->name, (uint8_t)plan->value);
		break;
	case BY_FILE:
		if (!folder_exists(plan->where)) {
			print_message("# %s skipped: no tests/%s here\n", v->name, plan->where);
			skip();
		}
		if (!mentioned(plan->where, v->name))
			fail_msg("%s: no test under tests/%s names it", v->name, plan->where);
		break;
	}
}

static bool vectors_load(const char *path)
{
	json_error_t error;
	json_t *root = vector_root = json_load_file(path, 0, &error), *item;
	size_t index;

	json_array_foreach(json_object_get(root, "vectors"), index, item)
	{
		struct vector *v = &vectors[vector_count++];
		const char *hex = json_string_value(json_object_get(item, "hex"));
		v->name = json_string_value(json_object_get(item, "name"));
		v->clock_unix = (uint64_t)json_integer_value(json_object_get(item, "clock_unix"));
		for (v->length = 0; hex[2 * v->length]; v->length++) {
			unsigned octet;
			if (sscanf(hex + 2 * v->length, "%2x", &octet) != 1) // NOLINT(cert-err34-c)
				return false;
			v->bytes[v->length] = (uint8_t)octet;
		}
	}
	return root && vector_count == 74;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[128];

	if (argc != 3 || !vectors_load(argv[1])) {
		fprintf(stderr,
			"usage: mip4_vectors_test VECTORS.json TESTS-FOLDER (74 vectors)\n");
		return 1;
	}
	tests_folder = argv[2];
	for (unsigned i = 0; i < vector_count; i++)
		tests[i] = (struct CMUnitTest){.name = vectors[i].name,
			.test_func = vector_test,
			.initial_state = &vectors[i]};
	int failed = _cmocka_run_group_tests("mip4_vectors", tests, vector_count, NULL, NULL);
	json_decref(vector_root);
	return failed;
}
