#include "pktgen/generator/profile.h"

#include "pktgen/generator/profile_check.h"

#include <errno.h>
#include <stdlib.h>

int profile_load_string(
	const char *text, const char *name, struct profile **out, struct config_error *error)
{
	struct loader loader = {.name = name, .error = error};

	*out = NULL;
	struct profile *profile = calloc(1, sizeof(*profile));
	if (!profile)
		return loader_fail(&loader, 0, "out of memory"), -ENOMEM;
	int result = loader_parse(&loader, text);
	if (!result)
		result = load_section(&loader, &profile_schema_root, profile);
	if (!result) {
		loader_index(&loader);
		result = profile_check(&loader, profile);
	}
	loader_fini(&loader);
	if (result) {
		profile_free(profile);
		return result;
	}
	*out = profile;
	return 0;
}

int profile_load(const char *path, struct profile **out, struct config_error *error)
{
	char *text = NULL;
	int result = text_read(path, &text, error);

	*out = NULL;
	if (result)
		return result;
	result = profile_load_string(text, path, out, error);
	text_free(text);
	return result;
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	load_release(&profile_schema_root, profile);
	free(profile);
}

const char *profile_encapsulation_name(enum profile_encapsulation encapsulation)
{
	static const char *const names[] = {
		[PROFILE_PLAIN] = "plain",
		[PROFILE_IPIP] = "ipip",
		[PROFILE_GRE] = "gre",
		[PROFILE_MINIMAL] = "minimal",
		[PROFILE_MIP_UDP] = "mip-udp",
		[PROFILE_ESP] = "esp",
	};
	return names[encapsulation];
}
