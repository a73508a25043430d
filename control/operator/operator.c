#include "control/operator/operator.h"

#include "control/listen.h"
#include "control/operator/server.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX       (16u << 20)  /* one reply */
#define EVENTS_AHEAD_MAX (256u << 10) /* that a watcher may be behind */
#define GROUPS_MAX       64
#define VERSION          "0.1.0"

struct operator_client {
	struct operator_server *server;
	struct loop_source source;
	int fd;
	unsigned slot;
	enum operator_role role;
	uid_t uid;
	bool watching, closing; /* closing: gone once the output is */
	uint64_t lost;
	size_t in_used;
	struct writer out;
	size_t out_sent;
	char in[OPERATOR_LINE_MAX];
};

static void client_close(struct operator_client *client)
{
	client->server->clients[client->slot] = NULL;
	loop_source_remove(client->server->loop, &client->source);
	close(client->fd);
	free(client->out.text);
	free(client);
}

static size_t client_pending(const struct operator_client *client)
{
	return client->out.used - client->out_sent;
}

/* False when the client is gone. */
static bool client_flush(struct operator_client *client)
{
	while (client_pending(client)) {
		ssize_t sent = send(client->fd, client->out.text + client->out_sent,
			client_pending(client), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (sent <= 0)
			return false;
		client->out_sent += (size_t)sent;
	}
	client->out.used = client->out_sent = 0;
	return !client->closing;
}

/* Octets of the first whole line, newline included; 0 when there is none. */
static size_t client_line(const struct operator_client *client)
{
	const char *end = memchr(client->in, '\n', client->in_used);

	return end ? (size_t)(end + 1 - client->in) : 0;
}

static void client_interest(struct operator_client *client)
{
	/* A whole line that waits counts as output: the loop comes back at once, with others served
	 * in between. */
	bool busy = client_pending(client) || (!client->watching && client_line(client));
	uint32_t events = client->watching ? EPOLLIN | (busy ? (uint32_t)EPOLLOUT : 0)
			  : busy           ? (uint32_t)EPOLLOUT
					   : EPOLLIN;

	loop_source_modify(client->server->loop, &client->source, events);
}

static void client_log(const struct operator_client *client, const struct request *request)
{
	log_notice("operator_command", "uid=%u command=\"%s\"", (unsigned)client->uid,
		request->row->words);
}

static bool client_may(struct operator_client *client, const struct request *request)
{
	if (request->row->role != OPERATOR_ADMIN)
		return true;
	if (client->role != OPERATOR_ADMIN) {
		answer_error(&client->out, client->out.used, "forbidden",
			"this command is for administrators");
		return false;
	}
	if (!request->cursor)
		client_log(client, request); // HA4-OPS-27
	return true;
}

static void client_answer(struct operator_client *client, const struct request *request)
{
	if (request->command != OPERATOR_WATCH_EVENTS) {
		answer_request(client->server, request, &client->out);
		return;
	}
	client->watching = true;
	answer_begin(&client->out, request);
	answer_end(&client->out);
}

/* One request line: refused, or answered into the output. */
static void client_request(struct operator_client *client, size_t length)
{
	struct request request;
	struct request_error error;
	struct writer *out = &client->out;

	if (request_parse(client->in, length, &request, &error)) {
		answer_error(out, out->used, error.code, error.text);
		request_wipe(&request);
		return;
	}
	if (client_may(client, &request))
		client_answer(client, &request);
	request_wipe(&request);
}

static bool client_read(struct operator_client *client)
{
	ssize_t got = recv(client->fd, client->in + client->in_used,
		sizeof(client->in) - client->in_used, MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	client->in_used += (size_t)got;
	if (client->watching) {
		client->in_used = 0; /* nothing more is asked on a watching connection */
		return true;
	}
	if (client->in_used == sizeof(client->in) && !client_line(client)) {
		answer_error(&client->out, client->out.used, "bad_request", "the line is too long");
		client->closing = true;
		client->in_used = 0;
	}
	return true;
}

static void client_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct operator_client *client = context;
	bool alive = true;

	client->server->now_ns = now->monotonic_ns;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = client_read(client);
	alive = alive && client_flush(client);
	size_t line =
		alive && !client->watching && !client_pending(client) ? client_line(client) : 0;
	if (line) {
		client_request(client, line - 1);
		client->in_used -= line;
		memmove(client->in, client->in + line, client->in_used);
		secret_wipe(client->in + client->in_used, line); /* it may have held keys */
		alive = client_flush(client);
	}
	if (alive)
		client_interest(client);
	else
		client_close(client);
}

int operator_role_of(uid_t peer, const gid_t *groups, unsigned group_count, uid_t own, gid_t group)
{
	if (peer == 0 || peer == own)
		return OPERATOR_ADMIN;
	for (unsigned i = 0; group != (gid_t)-1 && i < group_count; i++)
		if (groups[i] == group)
			return OPERATOR_READ_ONLY;
	return -EPERM;
}

static int peer_role(const struct operator_server *server, int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t groups[GROUPS_MAX + 1];
	socklen_t groups_size = GROUPS_MAX * sizeof(gid_t);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	*uid = peer.uid;
	/* Told groups are those of the connecting process, kept by the kernel: no look-up of names.
	 */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size))
		groups_size = 0;
	unsigned count = groups_size / sizeof(gid_t);
	groups[count++] = peer.gid;
	return operator_role_of(peer.uid, groups, count, geteuid(), server->group);
}

static void refuse(int fd, const char *code, const char *text)
{
	struct writer out = {.limit = 4096};

	answer_error(&out, 0, code, text);
	ssize_t ignored =
		send(fd, out.text, out.used, MSG_NOSIGNAL | MSG_DONTWAIT); /* a courtesy */
	(void)ignored;
	free(out.text);
	close(fd);
}

static void client_hello(struct operator_client *client)
{
	struct writer *out = &client->out;

	writer_object_begin(out, NULL);
	writer_text(out, "hello", "homeport");
	writer_text(out, "version", VERSION);
	writer_unsigned(out, "protocol", OPERATOR_PROTOCOL);
	writer_text(out, "role", operator_role_name(client->role));
	writer_object_end(out);
	writer_line_end(out);
}

static void client_new(struct operator_server *server, int fd, enum operator_role role, uid_t uid)
{
	struct operator_client *client;
	unsigned slot = 0;

	while (slot < OPERATOR_CLIENTS_MAX && server->clients[slot])
		slot++;
	if (slot == OPERATOR_CLIENTS_MAX) {
		refuse(fd, "busy", "too many clients");
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client ||
		loop_source_add(server->loop, &client->source, fd, EPOLLIN, client_ready, client)) {
		free(client);
		refuse(fd, "busy", "out of memory");
		return;
	}
	client->server = server;
	client->fd = fd;
	client->slot = slot;
	client->role = role;
	client->uid = uid;
	client->out.limit = OUTPUT_MAX;
	server->clients[slot] = client;
	client_hello(client);
	if (client_flush(client))
		client_interest(client);
	else
		client_close(client);
}

static void server_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct operator_server *server = context;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), role;
	uid_t uid = (uid_t)-1;

	if (fd < 0)
		return;
	role = peer_role(server, fd, &uid);
	if (role < 0)
		refuse(fd, "forbidden", "neither root, nor the daemon's user, nor of its group");
	else
		client_new(server, fd, (enum operator_role)role, uid);
}

int operator_new(struct loop *loop, const char *path, const char *group,
	const struct provider *provider, struct operator_server **out)
{
	struct operator_server *server = calloc(1, sizeof(*server));
	const struct group *entry = group[0] ? getgrnam(group) : NULL;
	int result = 0;

	*out = NULL;
	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->provider = provider;
	server->fd = -1;
	server->group = entry ? entry->gr_gid : (gid_t)-1;
	if (group[0] && !entry)
		result = -ENOENT;
	const struct listen_settings settings = {.path = path,
		.type = SOCK_STREAM,
		.mode = 0660,
		.owner = (uid_t)-1,
		.group = server->group};
	if (!result) {
		server->fd = listen_open(&settings, server->path);
		result = server->fd < 0 ? server->fd : 0;
	}
	if (!result)
		result = loop_source_add(
			loop, &server->source, server->fd, EPOLLIN, server_ready, server);
	if (result) {
		operator_free(server);
		return result;
	}
	*out = server;
	return 0;
}

void operator_free(struct operator_server *server)
{
	if (!server)
		return;
	for (unsigned i = 0; i < OPERATOR_CLIENTS_MAX; i++)
		if (server->clients[i])
			client_close(server->clients[i]);
	loop_source_remove(server->loop, &server->source);
	if (server->fd >= 0)
		close(server->fd);
	if (server->path[0])
		unlink(server->path);
	free(server);
}

static void write_event(struct operator_server *server, struct writer *out,
	const struct operator_event *event, uint64_t wall_ns)
{
	writer_object_begin(out, NULL);
	writer_text(out, "event", event->type);
	writer_unsigned(out, "unix_ms", wall_ns / 1000000);
	writer_text(out, "instance", answer_instance_name(server, event->instance));
	if (event->home_address)
		writer_address(out, "home_address", event->home_address);
	if (event->nai && event->nai[0])
		writer_text(out, "nai", event->nai);
	if (event->care_of_address)
		writer_address(out, "care_of_address", event->care_of_address);
	if (event->source)
		writer_address(out, "source", event->source);
	if (event->cause)
		writer_text(out, "cause", event->cause);
	if (event->code >= 0)
		writer_unsigned(out, "code", (uint64_t)event->code);
	if (event->text)
		writer_text(out, "text", event->text);
	writer_object_end(out);
	writer_line_end(out);
}

static void write_lost(struct operator_client *client)
{
	writer_object_begin(&client->out, NULL);
	writer_text(&client->out, "event", "events_lost");
	writer_unsigned(&client->out, "count", client->lost);
	writer_object_end(&client->out);
	writer_line_end(&client->out);
	client->lost = 0;
}

void operator_publish(
	struct operator_server *server, const struct operator_event *event, uint64_t wall_ns)
{
	for (unsigned i = 0; i < OPERATOR_CLIENTS_MAX; i++) {
		struct operator_client *client = server->clients[i];
		if (!client || !client->watching)
			continue;
		if (client_pending(client) > EVENTS_AHEAD_MAX) {
			client->lost++;
			continue;
		}
		if (client->out_sent > EVENTS_AHEAD_MAX) { /* what was sent makes room */
			memmove(client->out.text, client->out.text + client->out_sent,
				client_pending(client));
			client->out.used -= client->out_sent;
			client->out_sent = 0;
		}
		if (client->lost)
			write_lost(client);
		write_event(server, &client->out, event, wall_ns);
		client_interest(client); /* sent by the loop: several events leave together */
	}
}
