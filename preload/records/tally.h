/* What one step of a call counts, added up in a row: who is interrupted in it by a handler that forks can tell how far
 * it was. Context: hot. */
#ifndef CALLMETER_PRELOAD_RECORDS_TALLY_H
#define CALLMETER_PRELOAD_RECORDS_TALLY_H

#define TALLY_ENTRY_BYTES 16

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

enum {
    TALLY_MAX = 8,
};

struct tally_entry {
    uint64_t offset; /* in the block, in bytes */
    uint64_t value;
};

struct tally {
    uint64_t bytes; /* of the entries in use */
    struct tally_entry entries[TALLY_MAX];
};

/* There must be room. */
static inline void tally_note(struct tally *tally, uint64_t offset, uint64_t value)
{
    struct tally_entry *entry = (struct tally_entry *)((char *)tally->entries + tally->bytes);

    entry->offset = offset;
    entry->value = value;
    tally->bytes += sizeof(*entry);
}

/* Adds up in the block, and then says so: *mark = *value. By counters_commit. */
void tally_add_up(uint8_t *block, const struct tally_entry *entries, uint64_t bytes, void **mark, void *const *value);

/* Adds 1 to the word, and then says so: *mark = value. Of a single word this is faster. */
void tally_start(uint64_t *word, void **mark, void *value);

/* Adds 1 to the word, and then makes the state `to` if it is `from`; true: it was. */
bool tally_claim(uint64_t *word, _Atomic uint8_t *state, uint8_t from, uint8_t to);

/* From the first of them on up to the third, without it, tally_add_up has the entries in rsi, and in rax the bytes of
 * those that are added; at the second, one more is. At the others, 1 is added to the word in rdi, and nothing said yet.
 */
extern const char tally_adding[] __attribute__((visibility("hidden")));
extern const char tally_added[] __attribute__((visibility("hidden")));
extern const char tally_said[] __attribute__((visibility("hidden")));
extern const char tally_starting[] __attribute__((visibility("hidden")));
extern const char tally_claiming[] __attribute__((visibility("hidden")));

_Static_assert(sizeof(struct tally_entry) == TALLY_ENTRY_BYTES, "tally");

#endif
#endif
