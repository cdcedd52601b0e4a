/* What a tracked function needs of the segment: which words its cells have, how many cells there are. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_LAYOUT_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

/* Numbers of words in a cell; 0: it has none. */
struct layout {
    uint32_t items;
    uint32_t interval;
    uint32_t errors;
    uint32_t error_count;
    uint32_t skipped;
    uint32_t summed_words;
    uint32_t last_start;
    uint32_t last_epoch;
    uint32_t last_success;
    uint32_t last_finish;
    uint32_t skip;
    uint32_t weight;
    uint32_t cell_words;
    uint32_t capacity;     /* of tables of labels' values */
    uint32_t entry_labels; /* dynamic labels known when a call starts */
    uint32_t end_labels;   /* and those known when it ends */
    bool is_sampled;
    uint64_t stride;      /* bytes from cell to cell */
    uint32_t cell_count;  /* shown ones: one, or one for each place */
    uint32_t entry_cells; /* of calls in progress; 0: they are in the shown ones */
    uint64_t bytes;       /* of all cells, with the scratch cell */
};

/* Plain data of the manifest and what the target can be; `has_budget`: sampling may adapt. Context: startup. */
void layout_init(struct layout *layout, const struct manifest_function *function, const struct resolve_target *target,
                 bool has_budget);

/* The same before the target is known: what it may be at most, by the manifest alone. Of a target that is only counted
 * then, layout_narrow leaves the words in their places. */
void layout_init_awaited(struct layout *layout, const struct manifest_function *function, bool has_budget);
void layout_narrow(struct layout *layout, const struct resolve_target *target);

/* True if calls need more than a hook without extra does. */
bool layout_has_extra(const struct layout *layout, size_t gauge_count);

#endif
