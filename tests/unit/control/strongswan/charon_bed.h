/*
 * charon's own library with homeport's plugin in it, against a control that is played by
 * fake_control: calls as charon 5.9.8 makes them, and what its listeners hear. KIF-53.
 */
#ifndef TESTS_UNIT_CONTROL_STRONGSWAN_CHARON_BED_H
#define TESTS_UNIT_CONTROL_STRONGSWAN_CHARON_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <daemon.h>
#include <unistd.h>

#include "tests/unit/control/strongswan/fake_control.h"

#define OURS       "192.0.2.1"
#define PEER       "203.0.113.7"
#define SPI_PEER   0xc1c2c3c4u
#define TIMEOUT_MS 3000 /* longer than a busy machine keeps the fake control from answering */
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Before and after all tests. False, and told in TAP: the plugin does not load. */
bool charon_bed_start(const char *plugin);
void charon_bed_stop(void);

/* Each test begins with a connected plugin that knows of nothing. */
int setup(void **state);
int teardown(void **state);

extern char path[64]; /* of the keying socket */

/* What charon heard since the test began. */
struct heard {
	unsigned expires, mappings, acquires, migrates;
	uint32_t spi, reqid;
	bool hard;
	char dst[64], remote[64], source[64], destination[64];
};
extern struct heard heard;
/* A counter of `heard`, which another thread writes. */
unsigned counted(unsigned *counter);

uint64_t now_ms(void);
#define wait_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t deadline_ = now_ms() + 60000;                                             \
		while (!(condition)) {                                                             \
			assert_true(now_ms() < deadline_);                                         \
			usleep(1000);                                                              \
		}                                                                                  \
	} while (0)

/* ---- what charon calls ---- */

struct sa { // the arguments of a call
	kernel_ipsec_sa_id_t id;
	kernel_ipsec_add_sa_t data;
	lifetime_cfg_t lifetime;
	uint8_t key[36];
};

enum change { ADD, DELETE };

linked_list_t *selectors(const char *text);
void sa_init(struct sa *sa, uint32_t spi, bool inbound);
void sa_fini(struct sa *sa);
status_t add_sa(uint32_t spi, bool inbound);
uint32_t get_spi(void);
status_t del_sa(uint32_t spi, bool inbound);
status_t update_sa(uint32_t spi, bool inbound, const char *to, uint16_t port);
// An SPI is to be had; it is given back.
bool connected(void);
status_t policy(enum change change, policy_dir_t direction, policy_type_t type,
	policy_priority_t priority, uint32_t reqid, uint32_t spi, const char *peer_address);
void until_connected(void);

#endif
