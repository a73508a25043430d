/*
 * What a gateway tells the one that stands by for it of its SAs (RFC 6311 4, HA-01): a JSON file
 * that homeportctl writes (control/ctl/export.c) and that control reads at a takeover. It holds no
 * keys: the standby has the SAs already, of its configuration or of charon, and takes numbers for
 * them from here.
 *
 *   {"format":"homeport-sas","version":1,"written_ms":1700000000000,"interval_ms":1000,"sas":[
 *     {"direction":"out","spi":"0xc0000001","local":"192.0.2.1","remote":"198.51.100.2",
 *      "sequence":4711,"rate":350,"packets":4711,"bytes":301504}, ...]}
 *
 * `rate`: the most packets a second that were seen between two looks, null after one look alone.
 * What else stands there is for people. The file is somebody else's until it was read whole; then
 * everything in it is in range.
 */
#ifndef CONTROL_IPSEC_SA_EXPORT_H
#define CONTROL_IPSEC_SA_EXPORT_H

#include "control/ipsec/sa_database.h"

#define SA_EXPORT_VERSION    1
#define SA_EXPORT_SIZE_MAX   (512u << 20) /* octets of the file */
#define SA_EXPORT_ERROR_SIZE 160
/* RFC 6311 5.2 and HA-02: where nothing is known of the rate. */
#define SA_EXPORT_JUMP (UINT64_C(1) << 30)
/* What an SA that was idle may begin to send between two looks. */
#define SA_EXPORT_BURST_PPS (UINT64_C(1) << 22)

struct map;

struct sa_export_record {
	enum sa_direction direction;
	uint32_t spi; /* host order */
	struct ip_address local, remote;
	uint64_t sequence; /* outbound: last one sent; inbound: T */
	uint64_t rate;     /* packets a second; when has_rate */
	bool has_rate;
	uint64_t packets, bytes;
};

struct sa_export {
	uint64_t written_ms;  /* since 1970 */
	uint64_t interval_ms; /* between two looks */
	struct sa_export_record *records;
	uint32_t count;
	struct map *index;
};

/* 0; -EINVAL and a sentence, -ENOMEM. On error there is nothing to free. */
int sa_export_parse(
	const char *text, size_t length, struct sa_export *out, char error[SA_EXPORT_ERROR_SIZE]);
/* The same of a file. Also -errno of reading it. */
int sa_export_read(const char *path, struct sa_export *out, char error[SA_EXPORT_ERROR_SIZE]);
void sa_export_fini(struct sa_export *export);
/* Of this SA; NULL when the file does not know it, or knows it with another peer. */
const struct sa_export_record *sa_export_find(const struct sa_export *export, const struct sa *sa);

/* Where an SA goes on, `gap_ms` after `record` (NULL: none) was true. `running`: its number here.
 */
struct sa_export_estimate {
	uint64_t number; /* last one sent; T */
	bool soft;       /* to be replaced soon: nothing was known of it */
	bool too_old;    /* more may have been sent than can be skipped: there is no safe number */
};
/* HA-02: beyond what the failed node can have sent. Pure. */
struct sa_export_estimate sa_export_outbound(
	const struct sa_export_record *record, uint64_t running, uint64_t gap_ms, bool esn);
/* HA-03: everything up to there counts as seen. Pure. */
struct sa_export_estimate sa_export_inbound(
	const struct sa_export_record *record, uint64_t running, uint64_t gap_ms, bool esn);

#endif
