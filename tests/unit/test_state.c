/* Going on from a state file: what is carried over, what is refused, and that nothing in a damaged file does harm. And
 * pages that a file loses while it is mapped. Argument: rounds of damage. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/calls/tuples.h"
#include "preload/control/segment/space.h"
#include "preload/control/segment/writer.h"
#include "preload/control/state/layout_hash.h"
#include "preload/control/state/restore.h"
#include "preload/control/state/statefile.h"
#include "preload/panic/state_repair.h"
#include "preload/threads/blocks.h"
#include "symbols/common/diag.h"

enum {
    CAPACITY = 4,
    SLOTS = 8,
    WORDS = CELL_BUCKETS + 3,
    ERRORS_WORD = WORDS,
    INTERVAL_WORD = ERRORS_WORD + CAPACITY + 1,
    ITEMS_WORD = INTERVAL_WORD + 4,
    LAST_START_WORD,
    LAST_FINISH_WORD,
    CELL_WORDS,
    PLAIN_CELL = SEGMENT_BLOCK_HEADER_BYTES,
    STRIDE = (CELL_WORDS * 8 + 63) / 64 * 64,
    LABELLED_CELL = PLAIN_CELL + STRIDE,
    CELLS_END = LABELLED_CELL + STRIDE * (CAPACITY + 2),
    DAMAGES_MAX = 8,
};

static unsigned rounds = 1000;
static uint64_t random_state = 1;
static char path[] = "/tmp/test_state.XXXXXX";

/* splitmix64 */
static uint64_t random_word(void)
{
    uint64_t word = random_state += UINT64_C(0x9E3779B97F4A7C15);

    word = (word ^ word >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ word >> 27) * UINT64_C(0x94D049BB133111EB);
    return word ^ word >> 31;
}

/* Those that this process has, before the header forgets them. */
static uint32_t opened = 1;

uint32_t blocks_opened(void)
{
    return opened;
}

/* Segments --------------------------------------------------------------------------------------------------------- */

static void *at(struct segment_header *segment, uint64_t offset)
{
    return (char *)segment + offset;
}

static uint64_t make_values(struct segment_header *segment, enum segment_value_type type, uint32_t key_bytes)
{
    struct segment_value label = {.name = writer_text(segment, "label"), .type = (uint32_t)type};
    struct segment_values values = {
        .capacity = CAPACITY,
        .value_count = 1,
        .key_bytes = key_bytes,
        .slot_mask = SLOTS - 1,
        .slots = writer_reserve(segment, SLOTS * sizeof(uint32_t)),
        .keys = writer_reserve(segment, (CAPACITY + 1) * key_bytes), /* one too many looks like one, too */
        .values = writer_bytes(segment, &label, sizeof(label)),
    };

    return writer_bytes(segment, &values, sizeof(values));
}

/* Two names of one function, and one with a label and errors by result. */
static void make_series(struct segment_header *segment)
{
    static const double bounds[] = {0.001, 1};
    struct segment_series series = {
        .bucket_count = 2,
        .kind = writer_text(segment, "function"),
        .labels = writer_bytes(segment, "a\0b\0", 5),
        .bounds = writer_bytes(segment, bounds, sizeof(bounds)),
        .cell = PLAIN_CELL,
        .cell_words = WORDS,
        .summed_words = WORDS,
    };

    writer_add_series(segment, &series);
    series.function = 1;
    writer_add_series(segment, &series);
    series.function = 2;
    series.cell = LABELLED_CELL;
    series.cell_words = CELL_WORDS;
    series.summed_words = LAST_START_WORD;
    series.errors_word = ERRORS_WORD;
    series.error_count = CAPACITY + 1;
    series.interval_word = INTERVAL_WORD;
    series.items_word = ITEMS_WORD;
    series.last_start_word = LAST_START_WORD;
    series.last_finish_word = LAST_FINISH_WORD;
    series.values = make_values(segment, SEGMENT_VALUE_STRING, SEGMENT_STRING_FIELD_BYTES);
    series.error_values = make_values(segment, SEGMENT_VALUE_INT64, SEGMENT_SCALAR_FIELD_BYTES);
    series.entry_cells = 1;
    series.entry_cell = LABELLED_CELL + STRIDE * (CAPACITY + 1);
    writer_add_series(segment, &series);
}

static struct segment_header *make_segment(int fd, double seconds_per_tick)
{
    const struct writer_size size = {.functions = 3, .series = 3, .text_bytes = 4096, .cell_bytes = CELLS_END};
    struct segment_header *segment = NULL;

    assert_int_equal(0, writer_create(&size, seconds_per_tick, fd, &segment));
    assert_int_equal(0, mprotect(at(segment, segment->blocks), 3 * segment->block_bytes, PROT_READ | PROT_WRITE));
    for (int i = 0; i < 3; i++) {
        char name[] = {(char)('f' + i), '\0'};
        struct segment_function function = {.name = writer_text(segment, name),
                                            .module = writer_text(segment, "module"),
                                            .symbol = writer_text(segment, name)};

        writer_add_function(segment, &function);
    }
    make_series(segment);
    segment->layout = layout_hash(segment);
    segment->signal_count = 2;
    segment->signals[0] = SIGSEGV;
    segment->signals[1] = SIGABRT;
    return segment;
}

static void unmake(struct segment_header *segment)
{
    munmap(segment, segment->segment_bytes);
}

static uint64_t *cell(struct segment_header *segment, uint32_t block, uint64_t offset)
{
    return at(segment, segment->blocks + block * segment->block_bytes + offset);
}

static struct segment_values *values_of(struct segment_header *segment, bool is_errors)
{
    struct segment_series *series = (struct segment_series *)at(segment, segment->series) + 2;

    return at(segment, is_errors ? series->error_values : series->values);
}

/* As tuples_add does, on one thread. */
static uint32_t add_key(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash)
{
    uint32_t count = tuples->values->count;
    uint32_t slot = 0;

    if (count == tuples->capacity || tuples_look_up(tuples, key, words, hash, &slot) != tuples->capacity)
        return tuples->capacity;
    memcpy(tuples->keys + (uint64_t)count * tuples->key_words, key, words * 8);
    tuples->values->count = count + 1;
    atomic_store(&tuples->slots[slot], count + 1);
    return count;
}

static uint32_t add_value(struct segment_header *segment, bool is_errors, const char *text, uint64_t number)
{
    struct segment_values *values = values_of(segment, is_errors);
    struct tuples tuples = {
        .values = values,
        .slots = at(segment, values->slots),
        .keys = at(segment, values->keys),
        .slot_mask = values->slot_mask,
        .key_words = values->key_bytes / 8,
        .capacity = values->capacity,
    };
    uint64_t key[SEGMENT_STRING_FIELD_BYTES / 8] = {text ? strlen(text) : 0, number};
    uint32_t words = text ? (uint32_t)(strlen(text) + 7) / 8 + 1 : 2;
    uint32_t slot;
    uint32_t place;

    if (text)
        memcpy(key + 1, text, strlen(text));
    place = tuples_look_up(&tuples, key, words, tuples_hash(key, words), &slot);
    return place < tuples.capacity ? place : add_key(&tuples, key, words, tuples_hash(key, words));
}

static uint64_t labelled(uint32_t place)
{
    return LABELLED_CELL + (uint64_t)STRIDE * place;
}

static int open_file(void)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* The file of a run that counted a little, in three blocks. Its clock had 2 ns ticks, and stood at 1e9 at Unix time
 * 1e9. */
static void write_file(int fd)
{
    struct segment_header *segment = make_segment(fd, 2e-9);
    uint64_t *words;

    segment->block_count = 3;
    segment->moments[1] = (struct segment_moment){1000000000, INT64_C(1000000000) * 1000000000};
    segment->moment = 1;
    segment->fatal_signals[1] = 4;
    ((uint64_t *)at(segment, segment->panics))[2 * SEGMENT_SIGNALS_MAX + 1] = 3;
    ((uint64_t *)at(segment, segment->recovered))[2] = 2;
    for (uint32_t block = 0; block < 3; block++) {
        words = cell(segment, block, PLAIN_CELL);
        words[CELL_STARTED] = 10;
        words[CELL_SUCCESS] = 9;
        words[CELL_SUM_TICKS] = 100;
        words[CELL_BUCKETS] = 9;
    }
    assert_int_equal(0, add_value(segment, false, "one", 0));
    assert_int_equal(1, add_value(segment, false, "twenty-two", 0));
    assert_int_equal(0, add_value(segment, true, NULL, 7));
    words = cell(segment, 2, labelled(1));
    words[CELL_STARTED] = 5;
    words[CELL_ERROR] = 5;
    words[ERRORS_WORD] = 5;
    words[LAST_START_WORD] = 500000000;
    words[LAST_FINISH_WORD] = 500000000 * 2 + 1;
    cell(segment, 1, labelled(CAPACITY))[CELL_STARTED] = 1;
    cell(segment, 1, labelled(CAPACITY))[CELL_SUCCESS] = 1;
    cell(segment, 1, labelled(CAPACITY + 1))[CELL_STARTED] = 2;
    unmake(segment);
}

static int restore(struct segment_header *segment, int fd, enum segment_state_error *ret_error)
{
    const struct segment_moment now = {4000000000, INT64_C(1000000001) * 1000000000};
    struct diag diag = {0};

    return restore_counts(segment, fd, &now, add_key, ret_error, &diag);
}

/* Reads that fail -------------------------------------------------------------------------------------------------- */

/* The read that comes after so many others fails so; without an error it gets one word. */
static struct {
    bool is_armed;
    unsigned reads_before;
    int error;
} fault;

ssize_t __real_pread64(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t bytes, off_t offset);

ssize_t __wrap_pread64(int fd, void *buffer, size_t bytes, off_t offset)
{
    if (!fault.is_armed || fault.reads_before-- > 0)
        return __real_pread64(fd, buffer, bytes, offset);
    fault.is_armed = false;
    if (fault.error == 0)
        return __real_pread64(fd, buffer, bytes < 8 ? bytes : 8, offset);
    errno = fault.error;
    return -1;
}

/* Goes on from the file while its n-th read fails. False: there are no so many reads. */
static bool restore_with_fault(unsigned n, int error, int expected)
{
    int fd = open_file();
    struct segment_header *segment = make_segment(-1, 1e-9);
    enum segment_state_error state_error = STATE_ERROR_DAMAGED;
    bool was_met;

    write_file(fd);
    fault.reads_before = n;
    fault.error = error;
    fault.is_armed = true;
    assert_int_equal(expected, restore(segment, fd, &state_error));
    was_met = !fault.is_armed;
    fault.is_armed = false;
    if (expected == 0)
        assert_int_equal(30, cell(segment, 0, PLAIN_CELL)[CELL_STARTED]);
    else
        assert_int_equal(STATE_ERROR_IO, state_error);
    unmake(segment);
    close(fd);
    return was_met;
}

static unsigned count_reads(void)
{
    unsigned n = 0;

    while (restore_with_fault(n, EINTR, 0))
        n++;
    return n;
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void test_interrupted_reads(void **state)
{
    (void)state;
    assert_true(count_reads() > 4);
}

static void test_short_reads(void **state)
{
    unsigned n = 0;

    (void)state;
    while (restore_with_fault(n, 0, 0))
        n++;
    assert_true(n > 4);
}

static void test_failed_reads(void **state)
{
    unsigned count = count_reads();

    (void)state;
    for (unsigned n = 0; n < count; n++)
        assert_true(restore_with_fault(n, EIO, -EIO));
}

static void test_carried_over(void **state)
{
    int fd = open_file();
    struct segment_header *segment = make_segment(-1, 1e-9);
    enum segment_state_error error;
    uint64_t *words;

    (void)state;
    write_file(fd);
    /* This run has met another value first, and has counted already. */
    assert_int_equal(0, add_value(segment, false, "three", 0));
    assert_int_equal(0, add_value(segment, true, NULL, 8));
    cell(segment, 0, PLAIN_CELL)[CELL_SUCCESS] = 1;
    assert_int_equal(0, restore(segment, fd, &error));
    words = cell(segment, 0, PLAIN_CELL);
    assert_int_equal(30, words[CELL_STARTED]);
    assert_int_equal(28, words[CELL_SUCCESS]);
    assert_int_equal(3, words[CELL_ABANDONED + ABANDONED_PROCESS_DEATH]);
    assert_int_equal(600, words[CELL_SUM_TICKS]);
    assert_int_equal(27, words[CELL_BUCKETS]);
    assert_int_equal(2, add_value(segment, false, "twenty-two", 0));
    words = cell(segment, 0, labelled(2));
    assert_int_equal(5, words[CELL_ERROR]);
    assert_int_equal(0, words[ERRORS_WORD]);
    assert_int_equal(5, words[ERRORS_WORD + 1]);
    /* It was a second before the other clock's moment, and that a second before this one. */
    assert_int_equal(4000000000 - 2000000000, words[LAST_START_WORD]);
    assert_int_equal((4000000000 - 2000000000) * 2 + 1, words[LAST_FINISH_WORD]);
    assert_int_equal(1, cell(segment, 0, labelled(CAPACITY))[CELL_SUCCESS]);
    assert_int_equal(2, cell(segment, 0, labelled(CAPACITY + 1))[CELL_ABANDONED + ABANDONED_PROCESS_DEATH]);
    assert_int_equal(4, segment->fatal_signals[1]);
    assert_int_equal(3, ((uint64_t *)at(segment, segment->panics))[2 * SEGMENT_SIGNALS_MAX + 1]);
    assert_int_equal(2, ((uint64_t *)at(segment, segment->recovered))[2]);
    unmake(segment);
    close(fd);
}

static void test_signals_by_number(void **state)
{
    int fd = open_file();
    struct segment_header *segment = make_segment(-1, 1e-9);
    enum segment_state_error error;

    (void)state;
    write_file(fd);
    segment->signals[0] = SIGABRT;
    segment->signals[1] = SIGBUS;
    assert_int_equal(0, restore(segment, fd, &error));
    assert_int_equal(4, segment->fatal_signals[0]);
    assert_int_equal(0, segment->fatal_signals[1]);
    assert_int_equal(3, ((uint64_t *)at(segment, segment->panics))[2 * SEGMENT_SIGNALS_MAX]);
    unmake(segment);
    close(fd);
}

/* A kill between two words that belong together, a page that did not come to the disk. */
static void test_fewer_starts_than_ends(void **state)
{
    int fd = open_file();
    struct segment_header *segment = make_segment(-1, 2e-9);
    struct segment_header old;
    uint64_t zero = 0;
    enum segment_state_error error;

    (void)state;
    write_file(fd);
    assert_int_equal(sizeof(old), pread(fd, &old, sizeof(old), 0));
    assert_int_equal(8, pwrite(fd, &zero, 8, (off_t)(old.blocks + PLAIN_CELL)));
    assert_int_equal(0, restore(segment, fd, &error));
    assert_int_equal(27, cell(segment, 0, PLAIN_CELL)[CELL_STARTED]);
    assert_int_equal(0, cell(segment, 0, PLAIN_CELL)[CELL_ABANDONED + ABANDONED_PROCESS_DEATH]);
    unmake(segment);
    close(fd);
}

/* A moment is never later than now, and 0 once it is too old to be told. */
static void test_moments_of_other_clocks(void **state)
{
    static const struct {
        uint64_t then;
        int64_t unix_seconds;
        int64_t expected;
    } cases[] = {
        {1000000000, 1000000000, 3000000000},                /* the moment of the header */
        {9000000000, 1000000000, 4000000000},                /* behind it, beyond now */
        {1000000000, 1000000005, 4000000000},                /* the wall clock was set back */
        {1000000000, 999999000, 4000000000 - 1001000000000}, /* before this clock's start */
        {1000000000, 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = open_file();
        struct segment_header *segment = make_segment(-1, 1e-9);
        struct segment_header old;
        enum segment_state_error error;

        write_file(fd);
        assert_int_equal(sizeof(old), pread(fd, &old, sizeof(old), 0));
        old.moments[1].unix_ns = cases[i].unix_seconds * 1000000000;
        assert_int_equal(sizeof(old), pwrite(fd, &old, sizeof(old), 0));
        assert_int_equal(8, pwrite(fd, &cases[i].then, 8,
                                   (off_t)(old.blocks + 2 * old.block_bytes + labelled(1) + LAST_START_WORD * 8)));
        assert_int_equal(0, restore(segment, fd, &error));
        assert_int_equal(cases[i].expected, (int64_t)cell(segment, 0, labelled(1))[LAST_START_WORD]);
        unmake(segment);
        close(fd);
    }
}

struct refusal {
    size_t offset;
    uint64_t value;
    size_t bytes;
    enum segment_state_error error;
};

#define HEADER(field, value, error)                                                                                    \
    {                                                                                                                  \
        offsetof(struct segment_header, field), value, sizeof(((struct segment_header *)0)->field), error              \
    }

static void test_refused(void **state)
{
    static const struct refusal refusals[] = {
        HEADER(magic, 1, STATE_ERROR_DAMAGED),
        HEADER(version, 1, STATE_ERROR_VERSION),
        HEADER(header_bytes, 400, STATE_ERROR_VERSION),
        HEADER(layout, 0, STATE_ERROR_DAMAGED),
        HEADER(layout, 1, STATE_ERROR_MANIFEST),
        HEADER(seconds_per_tick, 0, STATE_ERROR_DAMAGED),
        HEADER(seconds_per_tick, UINT64_MAX, STATE_ERROR_DAMAGED),
        HEADER(blocks, 0, STATE_ERROR_DAMAGED),
        HEADER(blocks, UINT64_C(1) << 63, STATE_ERROR_DAMAGED),
        HEADER(blocks, UINT64_MAX - 4095, STATE_ERROR_DAMAGED),
        HEADER(blocks, 1, STATE_ERROR_DAMAGED),
        HEADER(block_bytes, 0, STATE_ERROR_DAMAGED),
        HEADER(block_count, 0, STATE_ERROR_DAMAGED),
        HEADER(block_count, UINT32_MAX, STATE_ERROR_DAMAGED),
        HEADER(moment, 2, STATE_ERROR_DAMAGED),
        HEADER(signal_count, SEGMENT_SIGNALS_MAX + 1, STATE_ERROR_DAMAGED),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *refusal = &refusals[i];
        int fd = open_file();
        struct segment_header *segment = make_segment(-1, 1e-9);
        enum segment_state_error error = SEGMENT_STATE_ERRORS;

        write_file(fd);
        assert_int_equal(refusal->bytes, pwrite(fd, &refusal->value, refusal->bytes, (off_t)refusal->offset));
        assert_int_equal(-EINVAL, restore(segment, fd, &error));
        assert_int_equal(refusal->error, error);
        assert_int_equal(0, cell(segment, 0, PLAIN_CELL)[CELL_SUCCESS]);
        unmake(segment);
        close(fd);
    }
}

static void check_unharmed(struct segment_header *segment, uint64_t layout)
{
    assert_int_equal(layout, layout_hash(segment));
    assert_true(values_of(segment, false)->count <= CAPACITY && values_of(segment, true)->count <= CAPACITY);
    for (int i = 0; i < SLOTS; i++)
        assert_true(((uint32_t *)at(segment, values_of(segment, false)->slots))[i] <= CAPACITY);
    for (unsigned word = CELL_STARTED; word < CELL_BUCKETS; word++)
        assert_true(word == CELL_SUM_TICKS || cell(segment, 0, PLAIN_CELL)[word] < UINT64_C(1) << 60);
}

/* A number of the file that is held against a limit. */
struct limit {
    const char *name;
    uint64_t offset;
    size_t bytes;
    uint64_t last_allowed;
    uint64_t first_refused;
};

static uint64_t bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

/* The file is as long as so many blocks take, and nothing of it is missing. */
static bool is_taken_with(const struct limit *limit, uint64_t value, uint32_t blocks)
{
    int fd = open_file();
    struct segment_header *segment = make_segment(-1, 1e-9);
    enum segment_state_error error = SEGMENT_STATE_ERRORS;
    uint64_t layout = segment->layout;
    int result;

    write_file(fd);
    if (blocks)
        assert_int_equal(0, ftruncate(fd, (off_t)(segment->blocks + blocks * segment->block_bytes)));
    assert_int_equal(limit->bytes, pwrite(fd, &value, limit->bytes, (off_t)limit->offset));
    result = restore(segment, fd, &error);
    assert_true(result == 0 || (result == -EINVAL && error < SEGMENT_STATE_ERRORS));
    check_unharmed(segment, layout);
    unmake(segment);
    close(fd);
    return result == 0;
}

static void assert_limit(const struct limit *limit, uint32_t blocks)
{
    if (!is_taken_with(limit, limit->last_allowed, blocks))
        fail_msg("%s: %#llx is refused", limit->name, (unsigned long long)limit->last_allowed);
    if (is_taken_with(limit, limit->first_refused, blocks))
        fail_msg("%s: %#llx is taken", limit->name, (unsigned long long)limit->first_refused);
}

#define LIMIT(base, type, member, allowed, refused)                                                                    \
    {                                                                                                                  \
#type "." #member, (base) + offsetof(struct type, member), sizeof(((struct type *)0)->member), allowed,        \
            refused                                                                                                    \
    }
#define OF_HEADER(member, allowed, refused)       LIMIT(0, segment_header, member, allowed, refused)
#define OF_VALUES(base, member, allowed, refused) LIMIT(base, segment_values, member, allowed, refused)
#define OF_WORD(name, offset, allowed, refused)                                                                        \
    {                                                                                                                  \
        name, offset, 8, allowed, refused                                                                              \
    }

/* The value that is one past what is allowed, of each number that is read. */
static void test_limits(void **state)
{
    struct segment_header *segment = make_segment(-1, 1e-9);
    const struct segment_values *values = values_of(segment, false);
    const struct segment_values *errors = values_of(segment, true);
    const uint64_t labels = (uint64_t)((const char *)values - (const char *)segment);
    const uint64_t open_most = UINT64_C(1) << 20;
    const uint64_t plain = segment->blocks + PLAIN_CELL;
    const uint64_t labelled_cell = segment->blocks + 2 * segment->block_bytes + labelled(1);
    const struct limit limits[] = {
        OF_HEADER(magic, SEGMENT_MAGIC, SEGMENT_MAGIC + 1),
        OF_HEADER(version, SEGMENT_VERSION, SEGMENT_VERSION + 1),
        OF_HEADER(header_bytes, sizeof(*segment), sizeof(*segment) + 1),
        OF_HEADER(layout, segment->layout, segment->layout + 1),
        OF_HEADER(block_bytes, segment->block_bytes, segment->block_bytes + 4096),
        OF_HEADER(seconds_per_tick, bits_of(1e-12), bits_of(1e-12) - 1),
        OF_HEADER(seconds_per_tick, bits_of(1e-3), bits_of(1e-3) + 1),
        OF_HEADER(moment, 1, 2),
        OF_HEADER(signal_count, SEGMENT_SIGNALS_MAX, SEGMENT_SIGNALS_MAX + 1),
        OF_HEADER(blocks, segment->blocks, segment->blocks + 1),
        OF_HEADER(blocks, segment->blocks, (segment->text + segment->text_used - 1) / 4096 * 4096),
        OF_VALUES(labels, count, CAPACITY, CAPACITY + 1),
        OF_VALUES(labels, capacity, CAPACITY, CAPACITY + 1),
        OF_VALUES(labels, value_count, 1, 2),
        OF_VALUES(labels, key_bytes, values->key_bytes, values->key_bytes + 8),
        OF_VALUES(labels, keys, values->keys, values->keys + 8),
        OF_WORD("length of a string", values->keys, SEGMENT_STRING_BYTES, SEGMENT_STRING_BYTES + 1),
        OF_WORD("a string that could not be read", values->keys, SEGMENT_VALUE_INVALID, SEGMENT_VALUE_INVALID + 1),
        OF_WORD("length of a number", errors->keys, 0, 1),
        OF_WORD("a number that could not be read", errors->keys, SEGMENT_VALUE_INVALID, SEGMENT_VALUE_INVALID + 1),
        /* Of each block, 10 began and 9 returned. What was counted apart may differ by 8, and 1 for each block. */
        OF_WORD("starts", plain + CELL_STARTED * 8, 27 + 3 * open_most - 20, 27 + 3 * open_most - 19),
        OF_WORD("successes", plain + CELL_SUCCESS * 8, 30 + 11 - 18, 30 + 12 - 18),
        OF_WORD("panics", plain + CELL_PANIC * 8, 3 + 11, 3 + 12),
        OF_WORD("the last bucket", plain + (CELL_BUCKETS + 2) * 8, 11, 12),
        OF_WORD("the time in calls", plain + CELL_SUM_TICKS * 8, UINT64_C(1800000000000), UINT64_C(1810000000000)),
        OF_WORD("the last type of errors", labelled_cell + (ERRORS_WORD + CAPACITY) * 8, 11, 12),
        OF_WORD("the last bucket of intervals", labelled_cell + (INTERVAL_WORD + 3) * 8, 8 + 11, 8 + 12),
        OF_WORD("items", labelled_cell + ITEMS_WORD * 8, (UINT64_C(1) << 60) - 1, UINT64_C(1) << 60),
        OF_HEADER(fatal_signals[0], 8, 9),
        OF_HEADER(fatal_signals[1], 3 + 8, 3 + 9),
        OF_HEADER(state_errors[SEGMENT_STATE_ERRORS - 1], UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1),
        OF_WORD("panics of no function", segment->panics + (3 * SEGMENT_SIGNALS_MAX + 1) * 8, 1 + 8, 1 + 9),
        OF_WORD("panics by a signal that is none", segment->panics + (SEGMENT_SIGNALS_MAX - 1) * 8, 8, 9),
        OF_WORD("recovered panics", segment->recovered + 2 * 8, 3 + 8, 3 + 9),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        assert_limit(&limits[i], 0);
    unmake(segment);
}

static void test_limit_of_blocks(void **state)
{
    struct segment_header *segment = make_segment(-1, 1e-9);
    const uint32_t most = writer_file_blocks(segment->block_bytes);
    const struct limit limits[] = {
        OF_HEADER(block_count, 3, 4),
        OF_HEADER(block_count, most, most + 1),
    };

    (void)state;
    assert_limit(&limits[0], 3);
    assert_limit(&limits[1], most + 2);
    unmake(segment);
}

/* What a block says of the calls that its owner left, up to the last reason there is. */
static void test_limit_of_endings(void **state)
{
    (void)state;
    for (uint64_t ending = 0; ending <= SEGMENT_ABANDONED_REASONS + 1; ending++) {
        int fd = open_file();
        struct segment_header *segment = make_segment(-1, 1e-9);
        uint64_t reason = ending && ending <= SEGMENT_ABANDONED_REASONS ? ending - 1 : ABANDONED_PROCESS_DEATH;
        enum segment_state_error error;
        const uint64_t *words;

        write_file(fd);
        for (uint32_t block = 0; block < 3; block++)
            assert_int_equal(
                8, pwrite(fd, &ending, 8, (off_t)(segment->blocks + block * segment->block_bytes + BLOCK_ENDING * 8)));
        assert_int_equal(0, restore(segment, fd, &error));
        words = cell(segment, 0, PLAIN_CELL);
        for (unsigned i = 0; i < SEGMENT_ABANDONED_REASONS; i++)
            assert_int_equal(i == reason ? 3 : 0, words[CELL_ABANDONED + i]);
        assert_int_equal(27, words[CELL_BUCKETS]);
        unmake(segment);
        close(fd);
    }
}

/* What was changed leads to other hashes. */
static void test_layouts_differ(void **state)
{
    struct segment_header *segment = make_segment(-1, 1e-9);
    struct segment_series *series = (struct segment_series *)at(segment, segment->series) + 2;
    uint64_t layout = segment->layout;

    (void)state;
    assert_int_equal(layout, layout_hash(segment));
    ((double *)at(segment, series->bounds))[1] = 2;
    assert_int_not_equal(layout, layout_hash(segment));
    ((double *)at(segment, series->bounds))[1] = 1;
    *(char *)at(segment, ((struct segment_function *)at(segment, segment->functions))->name) = 'z';
    assert_int_not_equal(layout, layout_hash(segment));
    *(char *)at(segment, ((struct segment_function *)at(segment, segment->functions))->name) = 'f';
    *(char *)at(segment, series->labels) = 'z';
    assert_int_not_equal(layout, layout_hash(segment));
    *(char *)at(segment, series->labels) = 'a';
    series->items_word = 3;
    assert_int_not_equal(layout, layout_hash(segment));
    series->items_word = ITEMS_WORD;
    values_of(segment, false)->capacity--;
    assert_int_not_equal(layout, layout_hash(segment));
    values_of(segment, false)->capacity++;
    assert_int_equal(layout, layout_hash(segment));
    unmake(segment);
}

/* Somewhere in what is looked at: the header, the tables, the blocks. */
static void damage(int fd, const struct segment_header *old)
{
    const uint64_t tempting[] = {0, 1, UINT32_MAX, UINT64_MAX, INT64_MAX, UINT64_C(1) << 32, CAPACITY + 1, 64, 65};
    uint64_t starts[] = {0, old->functions, old->blocks};
    uint64_t lengths[] = {sizeof(*old), old->text + old->text_used - old->functions, 3 * old->block_bytes};
    size_t region = random_word() % 3;
    uint64_t value = random_word() % 2 ? tempting[random_word() % 9] : random_word();
    size_t bytes = random_word() % 2 ? 8 : 4;

    assert_int_equal(bytes,
                     pwrite(fd, &value, bytes, (off_t)(starts[region] + random_word() % (lengths[region] / 4) * 4)));
    if (random_word() % 8 == 0)
        assert_int_equal(0, ftruncate(fd, (off_t)(random_word() % old->segment_bytes)));
}

static void test_damage(void **state)
{
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        int fd = open_file();
        struct segment_header *segment = make_segment(-1, 1e-9);
        struct segment_header old;
        uint64_t layout = segment->layout;
        enum segment_state_error error = SEGMENT_STATE_ERRORS;

        write_file(fd);
        assert_int_equal(sizeof(old), pread(fd, &old, sizeof(old), 0));
        for (uint64_t n = random_word() % DAMAGES_MAX; n-- > 0;)
            damage(fd, &old);
        assert_int_equal(8, pwrite(fd, &layout, 8, offsetof(struct segment_header, layout)));
        if (restore(segment, fd, &error) == 0)
            taken++;
        else
            assert_true(error < SEGMENT_STATE_ERRORS);
        check_unharmed(segment, layout);
        unmake(segment);
        close(fd);
    }
    assert_true(taken > 0 && taken < rounds);
}

/* What may be shown above what was put in: of calls that began, which look like calls in progress; of all else. */
static uint64_t most_over(uint64_t offset)
{
    bool is_open_call = offset == CELL_STARTED * 8 || offset == (CELL_ABANDONED + ABANDONED_PROCESS_DEATH) * 8;

    return is_open_call ? UINT64_C(3) << 20 : 11;
}

static void assert_none_over(const uint64_t *sound, const uint64_t *words, uint64_t count, bool is_cell)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t most = sound[i] + (is_cell ? most_over(i * 8) : 8);

        if (!(is_cell && i == CELL_SUM_TICKS) && words[i] > most)
            fail_msg("word %llu: %llu were put in, %llu came out", (unsigned long long)i, (unsigned long long)sound[i],
                     (unsigned long long)words[i]);
    }
}

static void compare(struct segment_header *sound, struct segment_header *segment)
{
    assert_none_over(cell(sound, 0, PLAIN_CELL), cell(segment, 0, PLAIN_CELL), WORDS, true);
    for (uint32_t place = 0; place <= CAPACITY + 1; place++)
        assert_none_over(cell(sound, 0, labelled(place)), cell(segment, 0, labelled(place)), INTERVAL_WORD, true);
    assert_none_over(sound->fatal_signals, segment->fatal_signals, SEGMENT_SIGNALS_MAX, false);
    assert_none_over(at(sound, sound->panics), at(segment, segment->panics), 4 * SEGMENT_SIGNALS_MAX, false);
    assert_none_over(at(sound, sound->recovered), at(segment, segment->recovered), 3, false);
}

/* One byte of it, anywhere: no number comes out that is more than what was put in, but for the slack of numbers that
 * are added up one by one, and for starts, which a call in progress has alone. */
static void test_one_damaged_byte(void **state)
{
    struct segment_header *sound = make_segment(-1, 1e-9);
    enum segment_state_error error;
    int fd = open_file();
    unsigned taken = 0;

    (void)state;
    write_file(fd);
    assert_int_equal(0, restore(sound, fd, &error));
    for (unsigned i = 0; i < 5 * rounds / 2; i++) {
        struct segment_header *segment = make_segment(-1, 1e-9);
        off_t place = (off_t)(random_word() % (sound->blocks + 3 * sound->block_bytes));
        uint8_t byte = (uint8_t)random_word();

        write_file(fd);
        assert_int_equal(1, pwrite(fd, &byte, 1, place));
        if (restore(segment, fd, &error) == 0) {
            compare(sound, segment);
            taken++;
        }
        unmake(segment);
        assert_int_equal(0, ftruncate(fd, 0));
    }
    assert_true(taken > 0 && taken < 5 * rounds / 2);
    unmake(sound);
    close(fd);
}

/* The directory ---------------------------------------------------------------------------------------------------- */

static void count_error(void *context, enum segment_state_error error, const char *text)
{
    ((unsigned *)context)[error]++;
    assert_true(strlen(text) > 0);
}

/* A run that ended, whose file names this process as its user if told to. Returns the file. */
static int leave_file(const char *directory, bool is_user)
{
    struct statefile file;
    unsigned errors[SEGMENT_STATE_ERRORS] = {0};
    struct segment_header header = {.magic = SEGMENT_MAGIC};
    int fd;

    if (is_user)
        header.users[3] = (uint32_t)getpid();
    assert_int_equal(0, statefile_open(&file, directory, "stem", count_error, errors));
    assert_string_equal("stem.state", file.name);
    assert_int_equal(0, space_reserve(file.fresh, 65536, 4096));
    assert_int_equal(sizeof(header), pwrite(file.fresh, &header, sizeof(header), 0));
    fd = dup(file.fresh);
    assert_int_equal(0, statefile_publish(&file));
    statefile_close(&file);
    return fd;
}

/* The file that the next start gets. */
static void next_name(const char *directory, char *name, unsigned *errors)
{
    struct statefile file;

    assert_int_equal(0, statefile_open(&file, directory, "stem", count_error, errors));
    memcpy(name, file.name, sizeof(file.name));
    statefile_close(&file);
}

static void remove_directory(const char *directory)
{
    static const char *const names[] = {"stem.state", "stem.2.state", "stem.lock"};
    char name[PATH_MAX];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
        unlink(name);
    }
    assert_int_equal(0, rmdir(directory));
}

static void note_text(void *context, enum segment_state_error error, const char *text)
{
    (void)error;
    snprintf(context, 512, "%s", text);
}

/* A signal that interrupts the look at who uses the file. */
static void test_use_is_seen_when_interrupted(void **state)
{
    char directory[] = "/tmp/test_state_dir.XXXXXX";
    struct statefile file;
    char text[512] = "";
    void *memory;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    fd = leave_file(directory, true);
    memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    close(fd);
    fault.reads_before = 0;
    fault.error = EINTR;
    fault.is_armed = true;
    assert_int_equal(0, statefile_open(&file, directory, "stem", note_text, text));
    assert_false(fault.is_armed);
    assert_non_null(strstr(text, "process id"));
    assert_string_equal("stem.2.state", file.name);
    statefile_close(&file);
    munmap(memory, 4096);
    remove_directory(directory);
}

/* A good file is not set aside because there is no descriptor to look at it with. */
static void test_descriptors_run_out(void **state)
{
    char directory[] = "/tmp/test_state_dir.XXXXXX";
    char name[STATEFILE_NAME_BYTES];
    unsigned errors[SEGMENT_STATE_ERRORS] = {0};
    struct statefile file;
    struct rlimit before;
    struct rlimit limit;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    fd = leave_file(directory, false);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    limit = before;
    limit.rlim_cur = (rlim_t)fd - 1; /* it came behind a directory, a lock and a file */
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    assert_int_equal(-EMFILE, statefile_open(&file, directory, "stem", count_error, errors));
    statefile_close(&file);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_int_equal(1, errors[STATE_ERROR_IO]);
    assert_int_equal(0, errors[STATE_ERROR_UNSAFE]);
    close(fd);
    next_name(directory, name, errors);
    assert_string_equal("stem.state", name);
    snprintf(name, sizeof(name), "%s/stem.state", directory);
    assert_int_equal(0, access(name, F_OK));
    remove_directory(directory);
}

static bool is_timer_running;

int __real_posix_fallocate64(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes);

/* As file systems in memory do it on older kernels: it gives back what it had when a signal comes. */
int __wrap_posix_fallocate64(int fd, off_t offset, off_t bytes)
{
    sigset_t mask;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    if (is_timer_running && !sigismember(&mask, SIGALRM))
        return EINTR;
    return __real_posix_fallocate64(fd, offset, bytes);
}

/* That of a profiler, say. */
static void test_space_is_had_under_a_timer(void **state)
{
    int fd = open_file();

    (void)state;
    is_timer_running = true;
    assert_int_equal(0, space_reserve(fd, 65536, 4096));
    is_timer_running = false;
    close(fd);
}

static bool are_leases_known(int fd)
{
    bool are_known = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;

    fcntl(fd, F_SETLEASE, F_UNLCK);
    return are_known;
}

static void reopen_for_reading(const char *directory, int *fd)
{
    char name[PATH_MAX];

    close(*fd);
    snprintf(name, sizeof(name), "%s/stem.state", directory);
    *fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(*fd >= 0);
}

/* A mapping is enough, no descriptor is needed: one for writing is seen by the kernel, others where the file says to
 * look. */
static void test_use_is_seen(void **state)
{
    (void)state;
    for (int is_user = 0; is_user < 2; is_user++) {
        char directory[] = "/tmp/test_state_dir.XXXXXX";
        unsigned errors[SEGMENT_STATE_ERRORS] = {0};
        char name[STATEFILE_NAME_BYTES];
        bool is_seen = is_user;
        void *memory;
        int fd;

        assert_non_null(mkdtemp(directory));
        fd = leave_file(directory, is_user);
        is_seen |= are_leases_known(fd);
        if (is_user)
            reopen_for_reading(directory, &fd);
        memory = mmap(NULL, 4096, is_user ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(memory != MAP_FAILED);
        close(fd);
        next_name(directory, name, errors);
        assert_string_equal(is_seen ? "stem.2.state" : "stem.state", name);
        assert_int_equal(is_seen, errors[STATE_ERROR_BUSY]);
        munmap(memory, 4096);
        next_name(directory, name, errors);
        assert_string_equal("stem.state", name);
        remove_directory(directory);
    }
}

static void answer(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (!state_repair(info->si_addr)) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

static void test_repair(void **state)
{
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
    struct sigaction before;
    int fd = open_file();
    struct segment_header *segment = make_segment(fd, 1e-9);
    uint64_t layout = segment->layout;

    (void)state;
    state_watch(segment);
    cell(segment, 0, PLAIN_CELL)[CELL_SUCCESS] = 5;
    sigaction(SIGBUS, &action, &before);
    assert_false(state_repair(&action));
    assert_false(state_repair(at(segment, segment->segment_bytes)));
    opened = 3; /* since then */
    assert_int_equal(0, ftruncate(fd, 0));
    cell(segment, 0, PLAIN_CELL)[CELL_SUCCESS]++;
    assert_int_equal(3, segment->block_count);
    opened = 1;
    cell(segment, 2, labelled(1))[CELL_SUCCESS]++;
    assert_int_equal(1, cell(segment, 0, PLAIN_CELL)[CELL_SUCCESS]);
    assert_int_equal(1, cell(segment, 2, labelled(1))[CELL_SUCCESS]);
    assert_int_equal(layout, layout_hash(segment));
    assert_int_equal(SEGMENT_NO_OWNER, ((uint64_t *)at(segment, segment->owners))[5]);
    assert_true(segment->state_errors[STATE_ERROR_DAMAGED] > 0 && state_repairs() > 0);
    sigaction(SIGBUS, &before, NULL);
    unmake(segment);
    close(fd);
}

static int finish(void **state)
{
    (void)state;
    return unlink(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_over),
        cmocka_unit_test(test_interrupted_reads),
        cmocka_unit_test(test_short_reads),
        cmocka_unit_test(test_failed_reads),
        cmocka_unit_test(test_signals_by_number),
        cmocka_unit_test(test_fewer_starts_than_ends),
        cmocka_unit_test(test_moments_of_other_clocks),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_blocks),
        cmocka_unit_test(test_limit_of_endings),
        cmocka_unit_test(test_layouts_differ),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_one_damaged_byte),
        cmocka_unit_test(test_use_is_seen),
        cmocka_unit_test(test_use_is_seen_when_interrupted),
        cmocka_unit_test(test_descriptors_run_out),
        cmocka_unit_test(test_space_is_had_under_a_timer),
        cmocka_unit_test(test_repair),
    };
    int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    close(fd);
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    if (argc > 2)
        random_state = strtoull(argv[2], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, finish);
}
