/* Addresses, prefixes and selectors out of text that a test knows to be right. */
#ifndef TESTS_UNIT_PARSED_H
#define TESTS_UNIT_PARSED_H

#include "lib/base/address.h"
#include "lib/base/traffic_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static inline struct ip_address address_of(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

static inline struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static inline struct traffic_selector selector_of(const char *text)
{
	struct traffic_selector s;

	assert_int_equal(traffic_selector_parse(text, &s), 0);
	return s;
}

#endif
