/*
 * charon's policies (KIF-17): entries with the same selectors and direction form a stack, ordered
 * by priority (KIF-18), the newest first where it is equal; the top one is the policy of the SPD.
 * Inbound and forward entries are one stack, as the gateway delivers and forwards by one inbound
 * policy (KIF-19). Loop thread.
 */
#ifndef CONTROL_CHARON_POLICY_STACK_H
#define CONTROL_CHARON_POLICY_STACK_H

#include "control/charon/charon_state.h"

/* NULL when out of memory. */
struct policy_stacks *policy_stack_new(uint32_t policies);
void policy_stack_free(struct policy_stacks *stacks);

/* The number of the entry that it made or found, 0 when it is refused. */
uint64_t policy_stack_add(
	struct charon *c, const struct keying_policy *policy, struct verdict *verdict);
void policy_stack_del(
	struct charon *c, const struct keying_policy *policy, struct verdict *verdict);
/* False: there is none. */
bool policy_stack_state(const struct charon *c, const struct keying_policy *policy,
	struct keying_policy_state *state);
/* TRN-13: the SA moved; the host selectors of its policies that were its ends are so still. charon
 * goes on to name them by what they were. */
void policy_stack_follow(struct charon *c, const struct sa *sa, const struct sa_command *former);
/* The entry of that number, when it is still there. */
void policy_stack_take_back(struct charon *c, uint64_t number);
/* Those of another replay than the present; all: every one. How many. */
unsigned policy_stack_sweep(struct charon *c, bool all);
/* The reqid that a policy in force stands for; 0 none. */
uint32_t policy_stack_reqid(const struct policy *policy);
uint32_t policy_stack_count(const struct charon *c);

/* KIF-18, as kernel-netlink computes it: less goes first. Pure. */
uint32_t policy_stack_order(const struct keying_policy *policy);

#endif
