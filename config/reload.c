#include "config/schema.h"

#include <errno.h>

static int refuse(struct config_error *error, const char *place, const char *name)
{
	snprintf(error->text, sizeof(error->text), "%s%s%s: a change needs a restart", place,
		place[0] ? "." : "", name);
	return -EBUSY;
}

static int compare_section(const struct section *section, const void *before, const void *after,
	const char *place, struct config_error *error);

/* Elements are compared by position: indices of instances and ports are held by the running
 * process. */
static int compare_list(const struct setting *setting, const void *before, const void *after,
	const char *place, struct config_error *error)
{
	unsigned old_count = *(const unsigned *)((const char *)before + setting->second);
	unsigned new_count = *(const unsigned *)((const char *)after + setting->second);
	const char *old_elements, *new_elements;
	char inner[128];

	if (setting->section != &schema_port && setting->section != &schema_instance)
		return 0;
	if (new_count < old_count || (setting->restart && new_count != old_count))
		return refuse(error, place, setting->name);
	memcpy(&old_elements, (const char *)before + setting->offset, sizeof(old_elements));
	memcpy(&new_elements, (const char *)after + setting->offset, sizeof(new_elements));
	for (unsigned i = 0; i < old_count; i++) {
		size_t at = i * setting->section->size;
		snprintf(inner, sizeof(inner), "%s%s%s[%u]", place, place[0] ? "." : "",
			setting->name, i);
		int result = compare_section(
			setting->section, old_elements + at, new_elements + at, inner, error);
		if (result)
			return result;
	}
	return 0;
}

static int compare_section(const struct section *section, const void *before, const void *after,
	const char *place, struct config_error *error)
{
	char inner[160];

	for (unsigned i = 0; i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		const char *old_member = (const char *)before + setting->offset,
			   *new_member = (const char *)after + setting->offset;
		int result = 0;
		if (setting->kind == SETTING_GROUPS) {
			result = compare_list(setting, before, after, place, error);
		} else if (setting->kind == SETTING_GROUP) {
			snprintf(inner, sizeof(inner), "%s%s%s", place, place[0] ? "." : "",
				setting->name);
			result = compare_section(
				setting->section, old_member, new_member, inner, error);
		} else if (setting->restart && !schema_is_list(setting) &&
			   memcmp(old_member, new_member, setting->size) != 0) {
			result = refuse(error, place, setting->name);
		}
		if (result)
			return result;
	}
	return 0;
}

int config_reload_check(
	const struct config *before, const struct config *after, struct config_error *error)
{
	return compare_section(&schema_root, before, after, "", error);
}
