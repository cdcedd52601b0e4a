/* Tells once of each function whose labels have had more values than are told apart. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_OVERFLOWS_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_OVERFLOWS_H

struct segment_header;

/* The segment lives on. Context: startup. */
void overflows_init(const struct segment_header *segment);

/* The next such function that was not told of, as a line for the log, valid until the next call; NULL: there is none.
 * Context: server thread, about once a second. */
const char *overflows_trouble(void);

#endif
