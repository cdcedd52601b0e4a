#include "preload/calls/extra.h"

#include "preload/calls/ticks.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/records/tally.h"
#include "preload/threads/attach.h"

enum {
    ITEMS_SHIFT = 8, /* the items lie above the state's byte in the record's last word */
};

/* Words of a cell -------------------------------------------------------------------------------------------------- */

/* A word of a cell in the lane's own block; NULL: it has none. Counters go to the shared block then (counters_add_at),
 * other words nowhere. */
static uint64_t *word_at(const struct lane *lane, uint64_t cell, uint32_t offset)
{
    uint8_t *block = *lane->block_ref;

    return block && offset ? (uint64_t *)(block + cell + offset) : NULL;
}

static void set_word(const struct lane *lane, uint64_t cell, uint32_t offset, uint64_t value)
{
    uint64_t *word = word_at(lane, cell, offset);

    if (word)
        *(volatile uint64_t *)word = value;
}

static void set_gauges(const struct extra *extra, const struct read_call *call, bool is_end)
{
    for (uint32_t i = 0; i < extra->gauge_count; i++) {
        const struct extra_gauge *gauge = &extra->gauges[i];
        uint64_t word;

        if ((gauge->location.place == VALUE_RESULT) != is_end || !read_word(call, &gauge->location, &word))
            continue;
        __atomic_store_n(&gauge->gauge->value, word, __ATOMIC_RELAXED);
        __atomic_store_n(&gauge->gauge->is_known, 1, __ATOMIC_RELEASE);
    }
}

static uint64_t read_items(const struct extra *extra, const struct read_call *call)
{
    uint64_t word;

    if (!read_word(call, &extra->items_location, &word))
        return 0;
    if ((extra->items_location.type == VALUE_INT32 || extra->items_location.type == VALUE_INT64) && (int64_t)word < 0)
        return 0;
    return word;
}

/* Labels ----------------------------------------------------------------------------------------------------------- */

/* Writes the fields of the labels to the key, and zeroes behind each. */
static void read_labels(const struct read_call *call, const struct extra_label *labels, uint32_t count, uint64_t *key)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *field = key + labels[i].key_offset / 8;

        for (uint32_t j = read_field(call, &labels[i].location, field); j < labels[i].field_bytes / 8; j++)
            field[j] = 0;
    }
}

/* The place of the call's tuple, of labels first to last. `key` holds those before. `hint`, if it is not NULL, is where
 * the place of a call like this one was noted. */
static inline uint32_t find_place(const struct extra *extra, const struct extra_table *table,
                                  const struct read_call *call, uint32_t first, uint32_t last, uint64_t *key,
                                  uint64_t *hint)
{
    const struct extra_label *label = &extra->labels[last - 1];
    uint32_t words = label->key_offset / 8;
    uint32_t place;

    if (last - first > 1)
        read_labels(call, &extra->labels[first], last - first - 1, key);
    words += read_field(call, &label->location, key + words);
    if (hint && tuples_is_at(&table->tuples, *hint - 1, key, words))
        return (uint32_t)*hint - 1;
    place = tuples_find(&table->tuples, key, words);
    if (hint && place < table->tuples.capacity)
        *hint = place + 1;
    return place;
}

static uint32_t find_end_place(const struct extra *extra, const struct read_call *call, uint32_t first, uint64_t *key)
{
    return find_place(extra, &extra->at_end, call, first, extra->label_count, key, NULL);
}

/* Where this thread notes the place of a call like this one; NULL: it has no block. The next call need not wait then
 * for a hash of its value, and what waits for that. Values of labels are mostly constants or few: the argument tells
 * them apart. */
static uint64_t *hint_of(const struct hook *hook, const struct read_call *call)
{
    const struct value_location *location = &hook->extra->labels[0].location;
    uint64_t word = read_is_register(location) ? call->registers[location->number] : 0;
    uint8_t *block = *call->lane->block_ref;

    if (!block)
        return NULL;
    return &((struct extra_scratch *)(block + hook->cell))->hints[(word ^ word >> 4 ^ word >> 7) % EXTRA_HINTS];
}

static enum extra_role role_of(const struct hook *hook)
{
    return hook->flags & HOOK_FLAG_UNTIMED   ? EXTRA_UNTIMED
           : hook->flags & HOOK_FLAG_WEIGHED ? EXTRA_WEIGHED
                                             : EXTRA_TIMED;
}

static uint64_t place_cell(const struct extra *extra, const struct extra_table *table, uint32_t place)
{
    return table->first_cell + place * extra->stride;
}

/* Two threads may fill in the same variant at once: each word is written once, with the value that it keeps, since the
 * other one may be using it. `extra` comes last. */
static const struct hook *variant_of(const struct hook *base, uint32_t place)
{
    const struct extra *extra = base->extra;
    struct hook *variant = (struct hook *)(extra->roles[role_of(base)].variants + place * extra->variant_bytes);
    uint64_t home = place_cell(extra, &extra->at_entry, place);

    if (__atomic_load_n(&variant->extra, __ATOMIC_ACQUIRE))
        return variant;
    for (size_t i = 0; i < extra->variant_bytes / 8; i++) {
        uint64_t word = ((const uint64_t *)base)[i];

        if (i == offsetof(struct hook, extra) / 8)
            continue;
        if (i == offsetof(struct hook, home) / 8 || (i == offsetof(struct hook, cell) / 8 && !extra->has_end_labels))
            word = home;
        ((volatile uint64_t *)variant)[i] = word;
    }
    __atomic_store_n(&variant->extra, extra, __ATOMIC_RELEASE);
    return variant;
}

/* Start ------------------------------------------------------------------------------------------------------------ */

/* The time since this thread's iteration before, if the block has been its own since then. In a child that is forked
 * here, each store is to a block that is new: none of them makes what somebody left there look like its own. */
static void note_interval(struct tally *tally, const struct lane *lane, const struct hook *hook)
{
    const struct extra *extra = hook->extra;
    uint64_t start = ticks_now();
    volatile uint64_t *last = word_at(lane, hook->home, extra->last_start);
    volatile uint64_t *epoch = word_at(lane, hook->home, extra->last_epoch);
    uint64_t before;

    if (!last)
        return;
    before = *last;
    if (*epoch != ((const uint64_t *)*lane->block_ref)[BLOCK_EPOCH]) {
        *last = 0;
        *epoch = ((const uint64_t *)*lane->block_ref)[BLOCK_EPOCH];
    } else if (before) {
        counters_note_interval(tally, hook, extra->interval, start - before);
    }
    *last = start;
}

/* As much as there is room for: 281 474 976 710 655. */
static void set_items(struct record *record, uint64_t items)
{
    if (items >> (sizeof(record->items) * ITEMS_SHIFT))
        items = (UINT64_C(1) << (sizeof(record->items) * ITEMS_SHIFT)) - 1;
    for (unsigned i = 0; i < sizeof(record->items); i++)
        record->items[i] = (uint8_t)(items >> (i * ITEMS_SHIFT));
}

static uint64_t get_items(const struct record *record)
{
    uint64_t items = 0;

    for (unsigned i = 0; i < sizeof(record->items); i++)
        items |= (uint64_t)record->items[i] << (i * ITEMS_SHIFT);
    return items;
}

/* What is known at the start, beside labels. */
static void note_start(struct tally *tally, struct record *record, const struct read_call *call)
{
    const struct extra *extra = record->hook->extra;

    if (extra->has_items && !extra->is_item_result)
        set_items(record, read_items(extra, call));
    if (extra->last_start)
        note_interval(tally, call->lane, record->hook);
    if (extra->gauge_count)
        set_gauges(extra, call, false);
}

/* A child that was forked in a handler may not have shown yet that it is one. Before it counts, it does: what is
 * counted then is its own. */
static void get_block(const struct lane *lane)
{
    if (__builtin_expect(!*lane->block_ref, false))
        lane_here();
}

/* What the trampoline counted of a call with labels was for the scratch cell. */
static void start_with_more(struct record *record, const struct read_call *call, uint64_t home)
{
    const struct extra *extra = record->hook->extra;
    struct tally tally;

    tally.bytes = 0;
    if (extra->label_count)
        tally_note(&tally, home + CELL_STARTED * 8, 1);
    note_start(&tally, record, call);
    counters_commit(call->lane, &tally, &record->target, &extra->original);
}

void extra_entry(struct record *record, const uint64_t *registers, const uint64_t *stack, const uint64_t (*vectors)[2])
{
    const struct hook *hook = record->hook;
    const struct extra *extra = hook->extra;
    struct read_call call = {.lane = hot_thread.lane, .registers = registers, .stack = stack, .vectors = vectors};
    uint64_t key[EXTRA_KEY_WORDS_MAX];
    uint64_t home = hook->home;

    if (extra->entry_label_count) {
        uint32_t place =
            find_place(extra, &extra->at_entry, &call, 0, extra->entry_label_count, key, hint_of(hook, &call));

        home = place_cell(extra, &extra->at_entry, place);
        hook = variant_of(hook, place);
        record->hook = hook;
    }
    get_block(call.lane);
    if (extra->has_start)
        start_with_more(record, &call, home);
    else
        counters_start(call.lane, home, &record->target, extra->original);
}

void extra_count(struct lane *lane, const struct hook *hook, const struct read_call *call)
{
    const struct extra *extra = hook->extra;
    uint64_t key[EXTRA_KEY_WORDS_MAX];
    struct tally tally;
    void *done = NULL;

    tally.bytes = 0;
    if (extra->entry_label_count)
        hook = variant_of(hook, find_place(extra, &extra->at_entry, call, 0, extra->entry_label_count, key, NULL));
    tally_note(&tally, hook->home + CELL_SUCCESS * 8, 1);
    if (extra->has_items)
        tally_note(&tally, hook->home + extra->items, read_items(extra, call));
    if (extra->last_start)
        note_interval(&tally, lane, hook);
    set_gauges(extra, call, false);
    counters_commit(lane, &tally, &done, &extra->original);
}

/* End -------------------------------------------------------------------------------------------------------------- */

/* What is known of a call that has ended. */
struct ending {
    struct lane *lane;
    const struct record *record;
    uint64_t cell;    /* where it belongs */
    uint32_t outcome; /* byte offset in the cell */
    struct read_call call;
    struct tally tally;
};

static void *const ended = (void *)RECORD_ENDED;

static uint32_t error_place(const struct extra *extra, const struct ending *ending)
{
    uint64_t field[SEGMENT_SCALAR_FIELD_BYTES / 8 + READ_FIELD_WORDS_OVER];
    uint32_t number;

    if (extra->error_values.values) {
        return tuples_find(&extra->error_values, field, read_field(&ending->call, &extra->error_location, field));
    }
    number = (uint32_t)counters_errno();
    return number < extra->error_count - 1 ? number : extra->error_count - 1;
}

static void note_batch(const struct extra *extra, struct ending *ending, bool has_result)
{
    uint64_t items = 0;

    if (!extra->is_item_result)
        items = get_items(ending->record);
    else if (has_result && ending->outcome == CELL_SUCCESS * 8)
        items = read_items(extra, &ending->call);
    tally_note(&ending->tally, ending->cell + extra->items, items);
}

static void note_end(const struct extra *extra, const struct ending *ending)
{
    bool is_success = ending->outcome == CELL_SUCCESS * 8;
    uint64_t now = ticks_now();

    if (is_success)
        set_word(ending->lane, ending->cell, extra->last_success, now);
    set_word(ending->lane, ending->cell, extra->last_finish, now * 2 + is_success);
}

/* All but duration and outcome. */
static void note_rest(const struct extra *extra, struct ending *ending, bool has_result)
{
    if (extra->errors && has_result && ending->outcome == CELL_ERROR * 8)
        tally_note(&ending->tally, ending->cell + extra->errors + error_place(extra, ending) * 8, 1);
    if (extra->has_items)
        note_batch(extra, ending, has_result);
    if (extra->last_success || extra->last_finish)
        note_end(extra, ending);
    if (extra->gauge_count && has_result)
        set_gauges(extra, &ending->call, true);
}

static bool is_timed(const struct hook *hook)
{
    return !(hook->flags & HOOK_FLAG_UNTIMED);
}

/* What a call stands for: sampling.c noted it when it chose the call to be timed. */
static uint64_t weight_of(const struct lane *lane, const struct hook *hook)
{
    const uint8_t *block = *lane->block_ref;
    uint64_t weight;

    if (!(hook->flags & HOOK_FLAG_WEIGHED) || !block)
        return 1;
    weight = *(const uint64_t *)(block + hook->extra->weight);
    return weight ? weight : 1;
}

/* A call whose labels are known now: until here it was in progress at hook->home. */
static void move_call(struct ending *ending)
{
    const struct hook *hook = ending->record->hook;
    const struct extra *extra = hook->extra;
    uint64_t key[EXTRA_KEY_WORDS_MAX];
    uint32_t place = extra->at_end.tuples.capacity;

    if (extra->entry_label_count) {
        uint32_t entry_place = (uint32_t)((hook->home - extra->at_entry.first_cell) / extra->stride);
        const struct tuples *known = &extra->at_entry.tuples;

        if (entry_place < known->capacity) {
            const uint64_t *entry_key = known->keys + (uint64_t)entry_place * known->key_words;

            for (uint32_t i = 0; i < known->key_words; i++)
                key[i] = entry_key[i];
            place = find_end_place(extra, &ending->call, extra->entry_label_count, key);
        }
    } else {
        place = find_end_place(extra, &ending->call, 0, key);
    }
    ending->cell = place_cell(extra, &extra->at_end, place);
    /* Whoever dies or is looked at in between has no fewer starts than ends. */
    tally_note(&ending->tally, ending->cell + CELL_STARTED * 8, 1);
    tally_note(&ending->tally, ending->cell + ending->outcome, 1);
    tally_note(&ending->tally, hook->home + CELL_STARTED * 8, UINT64_MAX);
}

/* Where it belongs, how often its duration counts beside what the trampoline has counted, and how it ended. */
static void note_end_of_call(struct ending *ending, bool is_counted)
{
    const struct hook *hook = ending->record->hook;
    bool is_moved = hook->extra && hook->extra->has_end_labels;
    uint64_t weight;

    if (is_moved)
        move_call(ending);
    if (is_timed(hook)) {
        weight = weight_of(ending->lane, hook) - (is_counted && !is_moved);
        if (weight)
            counters_note_duration(&ending->tally, hook, ending->cell, ending->record->start, weight);
    }
    if (!is_moved)
        tally_note(&ending->tally, ending->cell + ending->outcome, 1);
    if (hook->extra)
        note_rest(hook->extra, ending, true);
}

static void begin_ending(struct ending *ending, struct record *record, uint64_t ret, uint64_t float_ret)
{
    struct lane *lane = hot_thread.lane;

    get_block(lane);
    ending->lane = lane;
    ending->record = record;
    ending->cell = record->hook->home;
    ending->call = (struct read_call){
        .lane = lane,
        .stack = (const uint64_t *)(record_slot(record) + 8),
        .ret = ret,
        .float_ret = float_ret,
    };
    ending->tally.bytes = 0;
}

uint32_t extra_finish(struct record *record, uint64_t ret, uint64_t float_ret)
{
    uint32_t outcome = counters_outcome(record->hook, ret, float_ret);
    struct ending ending;

    if (!record->hook->extra)
        return outcome;
    begin_ending(&ending, record, ret, float_ret);
    ending.outcome = outcome;
    note_end_of_call(&ending, true);
    counters_commit(ending.lane, &ending.tally, (void **)&ending.lane->current, (void *const *)&record->outer);
    return 0;
}

void extra_finish_late(struct record *record, uint64_t ret, uint64_t float_ret)
{
    struct ending ending;

    begin_ending(&ending, record, ret, float_ret);
    ending.outcome = counters_outcome(record->hook, ret, float_ret);
    note_end_of_call(&ending, false);
    counters_commit(ending.lane, &ending.tally, &record->target, &ended);
}

void extra_thrown(struct record *record)
{
    const struct hook *hook = record->hook;
    struct ending ending;

    begin_ending(&ending, record, 0, 0);
    ending.outcome = CELL_ERROR * 8;
    if (is_timed(hook))
        counters_note_duration(&ending.tally, hook, hook->home, record->start, weight_of(ending.lane, hook));
    tally_note(&ending.tally, hook->home + ending.outcome, 1);
    if (hook->extra)
        note_rest(hook->extra, &ending, false);
    counters_commit(ending.lane, &ending.tally, &record->target, &ended);
}

void extra_left(struct record *record)
{
    struct ending ending;

    begin_ending(&ending, record, 0, 0);
    tally_note(&ending.tally, ending.cell + (CELL_ABANDONED + ABANDONED_THREAD_EXIT) * 8, 1);
    counters_commit(ending.lane, &ending.tally, &record->target, &ended);
}
