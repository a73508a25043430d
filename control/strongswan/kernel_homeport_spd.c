/*
 * The policies that charon wants.
 *
 * This program is free software; you can redistribute it and/or modify it
 * under the terms of the GNU General Public License as published by the
 * Free Software Foundation; either version 2 of the License, or (at your
 * option) any later version.  See <http://www.fsf.org/copyleft/gpl.txt>.
 *
 * This program is distributed in the hope that it will be useful, but
 * WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY
 * or FITNESS FOR A PARTICULAR PURPOSE.  See the GNU General Public License
 * for more details.
 */

#include "kernel_homeport_spd.h"

#include <collections/hashtable.h>

typedef struct private_kernel_homeport_spd_t private_kernel_homeport_spd_t;
typedef struct entry_t entry_t;

/**
 * private data of the policies
 */
struct private_kernel_homeport_spd_t {

	/**
	 * public interface
	 */
	kernel_homeport_spd_t public;

	/**
	 * entry_t => newest entry_t of its selectors and direction
	 */
	hashtable_t *by_selectors;

	/**
	 * all entries, oldest first
	 */
	entry_t *first, *last;

	/**
	 * number of the newest one
	 */
	uint64_t number;
};

/**
 * A policy
 */
struct entry_t {

	/** as it was added */
	struct keying_policy policy;

	/** rises from one to the next */
	uint64_t number;

	/** the one that was added before, of the same selectors */
	entry_t *older;

	/** neighbours by time */
	entry_t *before, *after;
};

/**
 * Hash of selectors and direction
 */
static u_int hash(entry_t *entry)
{
	const struct keying_policy *policy = &entry->policy;
	u_int value;

	value = chunk_hash(chunk_from_thing(policy->source_ts));
	value = chunk_hash_inc(chunk_from_thing(policy->destination_ts), value);
	return chunk_hash_inc(chunk_from_thing(policy->direction), value);
}

/**
 * Whether selectors and direction are the same
 */
static bool equals(entry_t *a, entry_t *b)
{
	return a->policy.direction == b->policy.direction &&
		   memeq(&a->policy.source_ts, &b->policy.source_ts,
				 sizeof(a->policy.source_ts)) &&
		   memeq(&a->policy.destination_ts, &b->policy.destination_ts,
				 sizeof(a->policy.destination_ts));
}

METHOD(kernel_homeport_spd_t, add, uint64_t,
	private_kernel_homeport_spd_t *this, const struct keying_policy *policy)
{
	entry_t *entry;

	INIT(entry,
		.policy = *policy,
		.number = ++this->number,
		.before = this->last,
	);
	if (this->last)
	{
		this->last->after = entry;
	}
	else
	{
		this->first = entry;
	}
	this->last = entry;
	entry->older = this->by_selectors->remove(this->by_selectors, entry);
	this->by_selectors->put(this->by_selectors, entry, entry);
	return entry->number;
}

METHOD(kernel_homeport_spd_t, newest, bool,
	private_kernel_homeport_spd_t *this, struct keying_policy *policy)
{
	entry_t key = { .policy = *policy }, *entry;

	entry = this->by_selectors->get(this->by_selectors, &key);
	if (entry)
	{
		*policy = entry->policy;
	}
	return entry != NULL;
}

/**
 * Whether charon means this entry
 */
static bool is_meant(const struct keying_policy *policy,
					 const struct keying_policy *meant)
{
	if (policy->action != meant->action ||
		policy->priority != meant->priority ||
		policy->manual_priority != meant->manual_priority ||
		policy->reqid != meant->reqid || policy->mode != meant->mode ||
		policy->spi != meant->spi)
	{
		return FALSE;
	}
	return policy->spi ||
		   (ip_address_equal(&policy->source, &meant->source) &&
			ip_address_equal(&policy->destination, &meant->destination));
}

/**
 * Take an entry out of the order of time, and free it
 */
static void unlink_entry(private_kernel_homeport_spd_t *this, entry_t *entry)
{
	*(entry->before ? &entry->before->after : &this->first) = entry->after;
	*(entry->after ? &entry->after->before : &this->last) = entry->before;
	free(entry);
}

/**
 * Take out the entry that charon means or, if there is a number, that one
 */
static bool take_out(private_kernel_homeport_spd_t *this,
					 struct keying_policy *policy, uint64_t number)
{
	entry_t key = { .policy = *policy }, *newest, *entry, **link;

	newest = this->by_selectors->remove(this->by_selectors, &key);
	for (link = &newest; *link; link = &(*link)->older)
	{
		if (number ? (*link)->number == number
				   : is_meant(&(*link)->policy, policy))
		{
			break;
		}
	}
	entry = *link;
	if (entry)
	{
		*link = entry->older;
	}
	if (newest)
	{
		this->by_selectors->put(this->by_selectors, newest, newest);
	}
	if (!entry)
	{
		return FALSE;
	}
	*policy = entry->policy;
	unlink_entry(this, entry);
	return TRUE;
}

METHOD(kernel_homeport_spd_t, remove_, bool,
	private_kernel_homeport_spd_t *this, struct keying_policy *policy)
{
	return take_out(this, policy, 0);
}

METHOD(kernel_homeport_spd_t, remove_number, bool,
	private_kernel_homeport_spd_t *this, uint64_t number,
	struct keying_policy *policy)
{
	entry_t *entry;

	/* newest first: that is where one is that was just refused */
	for (entry = this->last; entry; entry = entry->before)
	{
		if (entry->number == number)
		{
			*policy = entry->policy;
			return take_out(this, policy, number);
		}
	}
	return FALSE;
}

METHOD(kernel_homeport_spd_t, flush, void,
	private_kernel_homeport_spd_t *this)
{
	enumerator_t *enumerator;
	void *key, *value;

	enumerator = this->by_selectors->create_enumerator(this->by_selectors);
	while (enumerator->enumerate(enumerator, &key, &value))
	{
		this->by_selectors->remove_at(this->by_selectors, enumerator);
	}
	enumerator->destroy(enumerator);
	while (this->first)
	{
		unlink_entry(this, this->first);
	}
}

METHOD(kernel_homeport_spd_t, replay, u_int,
	private_kernel_homeport_spd_t *this, kernel_homeport_link_t *link)
{
	entry_t *entry;
	u_int count = 0;

	for (entry = this->first; entry; entry = entry->after)
	{
		struct keying_message message = {
			.header.type = KEYING_ADD_POLICY,
			.policy = entry->policy,
		};
		link->send(link, &message, entry->number, FALSE);
		count++;
	}
	return count;
}

METHOD(kernel_homeport_spd_t, destroy, void,
	private_kernel_homeport_spd_t *this)
{
	flush(this);
	this->by_selectors->destroy(this->by_selectors);
	free(this);
}

/*
 * see header file
 */
kernel_homeport_spd_t *kernel_homeport_spd_create()
{
	private_kernel_homeport_spd_t *this;

	INIT(this,
		.public = {
			.add = _add,
			.newest = _newest,
			.remove = _remove_,
			.remove_number = _remove_number,
			.flush = _flush,
			.replay = _replay,
			.destroy = _destroy,
		},
		.by_selectors = hashtable_create((hashtable_hash_t)hash,
										 (hashtable_equals_t)equals, 1024),
	);
	return &this->public;
}
