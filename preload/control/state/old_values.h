/* The label values that the last run had seen, by this run's tables: the same tables, held against their bounds. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_OLD_VALUES_H
#define CALLMETER_PRELOAD_CONTROL_STATE_OLD_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "preload/control/state/old_file.h"
#include "server/segment/segment.h"

/* One table of tuples. */
struct old_values {
    const struct segment_values *fresh; /* the same table in this run's segment, which has other tuples */
    uint64_t offset;                    /* of both in their segments */
    uint32_t count;
    uint64_t *keys;
    uint32_t *places; /* by old place: the new one, as restore.c finds it */
};

/* All of them. Embedded by the caller. */
struct old_tables {
    struct old_values *tables;
    size_t count;
};

/* Reads the tables of all series. 0; -EINVAL, -ENOMEM or what the file system says, with the file's error set. To be
 * finished in any case. Context: startup. */
int old_values_read(struct old_tables *tables, struct old_file *file);
void old_values_finish(struct old_tables *tables);

/* The table at that offset of the segment, or NULL. */
const struct old_values *old_values_find(const struct old_tables *tables, uint64_t offset);

/* As many words of a key as calls make (read_field); 0: it is no key. */
uint32_t old_values_key_words(const struct segment_header *fresh, const struct segment_values *values,
                              const uint64_t *key);

#endif
