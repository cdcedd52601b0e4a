/* What tracking costs, as a share of the CPU time, and the budget for it. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_BUDGET_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_BUDGET_H

#include <stddef.h>
#include <stdint.h>

struct clock;
struct segment_header;

enum {
    BUDGET_TURN_MS = 1000,
};

/* `share` is the manifest's overhead_budget: 1, and intervals are left alone. What is given must live on. -ENOMEM.
 * Context: startup, once. */
int budget_init(struct segment_header *segment, double share, const struct clock *clock);

/* Another process has taken turns, or this one long ago: the next turn only looks where things stand. Context: server
 * thread. */
void budget_begin_again(void);

/* To be called every BUDGET_TURN_MS: estimates the share of the CPU time that tracking took of late (overhead_ratio),
 * in this process and those that count in the same segment, and sets the sampling intervals for the time to come. Does
 * nothing if the turns themselves would take long. Returns what a person should know, once: static; else NULL. Context:
 * server thread. */
const char *budget_turn(void);

#endif
