#include "dataplane/decap/ecn.h"

#include "dataplane/header.h"

/* [inner][outer], both in the order of their values: Not-ECT, ECT(1), ECT(0), CE. */
static const uint8_t result[4][4] = {
	[ECN_NOT_ECT] = {ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, ECN_DROP},
	[ECN_ECT_1] = {ECN_ECT_1, ECN_ECT_1, ECN_ECT_1, ECN_CE},
	[ECN_ECT_0] = {ECN_ECT_0, ECN_ECT_1, ECN_ECT_0, ECN_CE},
	[ECN_CE] = {ECN_CE, ECN_CE, ECN_CE, ECN_CE},
};

static const bool anomalous[4][4] = {
	[ECN_NOT_ECT] = {false, true, true, true},
	[ECN_ECT_1] = {false, false, true, false},
	[ECN_ECT_0] = {false, false, false, false},
	[ECN_CE] = {false, true, false, false},
};

uint8_t ecn_decapsulate(uint8_t inner, uint8_t outer)
{
	return result[inner & ECN_MASK][outer & ECN_MASK];
}

bool ecn_is_anomalous(uint8_t inner, uint8_t outer)
{
	return anomalous[inner & ECN_MASK][outer & ECN_MASK];
}
