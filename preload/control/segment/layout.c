#include "preload/control/segment/layout.h"

#include <string.h>

#include "server/segment/segment.h"

static uint32_t take(uint32_t *next, uint32_t words)
{
    uint32_t first = *next;

    *next += words;
    return first;
}

static bool has_success_time(enum manifest_kind kind)
{
    return kind == MANIFEST_KIND_WORKER || kind == MANIFEST_KIND_BATCH_JOB || kind == MANIFEST_KIND_HEALTH_CHECK;
}

static bool is_cpp(const struct resolve_target *target)
{
    return target->symbol && strncmp(target->symbol->name, "_Z", 2) == 0;
}

/* A sampled-out call that nobody asks anything of is let go at once. One whose outcome matters is not: it has a
 * condition, or may end by an exception. */
static bool is_let_go(const struct layout *layout, const struct manifest_function *function,
                      const struct resolve_target *target)
{
    return function->error_when.count == 0 && function->throttled_when.count == 0 && layout->entry_labels == 0 &&
           layout->end_labels == 0 && function->items.source == MANIFEST_SOURCE_NONE &&
           function->kind != MANIFEST_KIND_LOOP && !has_success_time(function->kind) && !is_cpp(target) &&
           target->value_count == 0;
}

static void count_labels(struct layout *layout, const struct manifest_function *function)
{
    for (size_t i = 0; i < function->dynamic_label_count; i++) {
        if (function->dynamic_labels[i].value.source == MANIFEST_SOURCE_RET)
            layout->end_labels++;
        else
            layout->entry_labels++;
    }
    layout->capacity = (uint32_t)function->label_values_max;
}

static void place_words(struct layout *layout, const struct manifest_function *function,
                        const struct resolve_target *target)
{
    uint32_t buckets = (uint32_t)function->bucket_count + 1;
    uint32_t next = CELL_BUCKETS + buckets;
    bool is_full = target->plan.mode == PLAN_FULL;

    if (function->items.source != MANIFEST_SOURCE_NONE)
        layout->items = take(&next, 1);
    if (is_full && function->kind == MANIFEST_KIND_LOOP)
        layout->interval = take(&next, 1 + buckets);
    if (is_full && function->error_type != MANIFEST_ERROR_TYPE_NONE) {
        layout->error_count =
            function->error_type == MANIFEST_ERROR_TYPE_ERRNO ? SEGMENT_ERRNO_WORDS : layout->capacity + 1;
        layout->errors = take(&next, layout->error_count);
    }
    if (layout->is_sampled && is_let_go(layout, function, target))
        layout->skipped = take(&next, 1);
    layout->summed_words = next;
    if (layout->interval) {
        layout->last_start = take(&next, 1);
        layout->last_epoch = take(&next, 1);
    }
    if (is_full && has_success_time(function->kind)) {
        layout->last_success = take(&next, 1);
        layout->last_finish = take(&next, 1);
    }
    if (layout->is_sampled) {
        layout->skip = take(&next, 1);
        layout->weight = take(&next, 1);
    }
    layout->cell_words = next;
}

void layout_init(struct layout *layout, const struct manifest_function *function, const struct resolve_target *target,
                 bool has_budget)
{
    uint32_t places;

    /* A sampled-out call leaves no record to return through, so what is to recover is timed always. */
    *layout = (struct layout){.is_sampled = target->plan.mode == PLAN_FULL && !function->has_recover &&
                                            (function->sample_rate < 1 || has_budget)};
    count_labels(layout, function);
    place_words(layout, function, target);
    layout->stride = segment_cell_bytes(layout->cell_words);
    places = layout->entry_labels + layout->end_labels > 0 ? layout->capacity + 1 : 1;
    layout->cell_count = places;
    if (layout->end_labels)
        layout->entry_cells = layout->entry_labels ? places : 1;
    layout->bytes = (layout->cell_count + layout->entry_cells + (places > 1)) * layout->stride;
}

void layout_init_awaited(struct layout *layout, const struct manifest_function *function, bool has_budget)
{
    /* With a value more than there are, none of its calls is let go unseen: that asks for the symbol. */
    const struct resolve_target widest = {
        .plan.mode = function->mode == MANIFEST_MODE_COUNT ? PLAN_COUNT : PLAN_FULL,
        .value_count = 1,
    };

    layout_init(layout, function, &widest, has_budget);
}

void layout_narrow(struct layout *layout, const struct resolve_target *target)
{
    if (target->plan.mode == PLAN_FULL)
        return;
    layout->interval = layout->errors = layout->error_count = layout->skipped = 0;
    layout->last_start = layout->last_epoch = layout->last_success = layout->last_finish = 0;
    layout->is_sampled = false;
}

bool layout_has_extra(const struct layout *layout, size_t gauge_count)
{
    return layout->entry_labels || layout->end_labels || layout->items || layout->interval || layout->errors ||
           layout->last_finish || layout->is_sampled || gauge_count;
}
