/* The segment's tables when functions come later: all processes of a tree share them, and each may load the library.
 * For who holds tables_lock (threads/shared_lock.h). Context: startup, or in a call of dlopen. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_ROWS_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/segment/segment.h"

#define ROWS_NONE UINT32_MAX

/* What tells a function from others. */
struct rows_key {
    uint32_t entry;
    const char *name;
    const char *module;
    const char *symbol;
};

struct segment_function *rows_at(struct segment_header *segment, uint32_t row);
const char *rows_text(const struct segment_header *segment, uint64_t offset);

/* The row of a function that was there before, or ROWS_NONE. */
uint32_t rows_find(struct segment_header *segment, const struct rows_key *key);

/* The row that an entry of the manifest has had from the start, if no function has it yet. */
uint32_t rows_unclaimed(struct segment_header *segment, uint32_t entry);

/* The row that an entry had from the start, whoever has it. */
uint32_t rows_first(struct segment_header *segment, uint32_t entry);

/* The row's series, or NULL. */
struct segment_series *rows_series(struct segment_header *segment, uint32_t row);

/* True if the text arena has so many bytes more. */
bool rows_has_text(const struct segment_header *segment, uint64_t bytes);

/* Offset in each block of so many bytes that no cell had yet; 0: there is no room. */
uint64_t rows_take_cells(struct segment_header *segment, uint64_t bytes);

#endif
