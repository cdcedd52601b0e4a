/* Why a target is missing, pending, refused or only counted, as text for people. Private to symbols/resolve/. Context:
 * startup. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_REASON_H
#define CALLMETER_SYMBOLS_RESOLVE_REASON_H

struct resolve_target;

/* Appends a clause, behind "; " if it is not the first. It is made fit for a terminal, and cut where the room ends:
 * left out, if that is within the "; ". */
void resolve_add_reason(struct resolve_target *target, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
