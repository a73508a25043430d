/*
 * A dataplane in the test's own process that knows security associations and policies by the rules
 * of lib/ipc/command.h, over a real region. A test decides when it reads, dies and comes back.
 */
#ifndef TESTS_UNIT_CONTROL_IPSEC_ESP_DATAPLANE_H
#define TESTS_UNIT_CONTROL_IPSEC_ESP_DATAPLANE_H

#include "lib/ipc/attach.h"

#define ESP_LOG_SIZE 4096
#define ESP_SLOTS    64
#define ESP_POLICIES 64

struct esp_sa {
	bool live;
	uint32_t generation;
	struct sa_command set;
	struct sa_key_command key;
	struct sa_limits_command limits;
	struct selector selectors[SA_SELECTORS_MAX];
	unsigned selector_count;
	unsigned resumed, started; /* SETs that made it, by flag */
};

struct esp_policy {
	bool live;
	uint32_t generation;
	struct policy_command set;
};

struct esp_dataplane {
	struct region region;
	struct esp_sa sas[2][ESP_SLOTS];
	struct esp_policy policies[ESP_POLICIES], staged[ESP_POLICIES];
	struct esp_sa staging;
	unsigned staged_selectors;
	bool staged_key;
	uint64_t taken;
	uint32_t generation;
	uint16_t refuse_type; /* the next of this type, once */
	int refuse_errno;
	struct command log[ESP_LOG_SIZE]; /* all that was read, keys out */
	unsigned read, refused, commits;
};

void esp_dataplane_start(struct esp_dataplane *dataplane, uint32_t replay_window);
/* What a kill leaves: the memory is gone but for mappings elsewhere. */
void esp_dataplane_kill(struct esp_dataplane *dataplane);
/* A new session; control's end with a mapping of its own. */
void esp_dataplane_session(struct esp_dataplane *dataplane, struct attachment *attachment);
/* Reads and does all there is; how many. */
unsigned esp_dataplane_read(struct esp_dataplane *dataplane);
void esp_dataplane_event(struct esp_dataplane *dataplane, const struct event *event);
/* The SA with this SPI (host order), or NULL. */
struct esp_sa *esp_dataplane_find(
	struct esp_dataplane *dataplane, enum sa_direction direction, uint32_t spi);
/* Index in the log of the first command of this type at or behind `from`; -1. */
int esp_dataplane_logged(const struct esp_dataplane *dataplane, uint16_t type, unsigned from);

#endif
