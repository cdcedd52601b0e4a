/* Damages a segment at random, and renders it: whatever its tables say, nothing may be read or written outside. The
 * mapping has no page behind it, so that a wrong step ends the test. Arguments: rounds, and the first seed. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/common/buffer.h"
#include "server/formats/text.h"
#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

enum {
    ROUNDS = 3000,
    DAMAGES_MAX = 6,
    OUTPUT_BYTES_MAX = 16 << 20,
};

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_word(void)
{
    uint64_t word = random_state += UINT64_C(0x9E3779B97F4A7C15);

    word = (word ^ word >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ word >> 27) * UINT64_C(0x94D049BB133111EB);
    return word ^ word >> 31;
}

static uint64_t random_below(uint64_t limit)
{
    return random_word() % limit;
}

static void build(struct segment_builder *builder)
{
    static const double bounds[] = {0.001, 0.1, 1};
    static const struct segment_builder_label labels[] = {{"peer", SEGMENT_VALUE_POINTER, "null\0nobody\0"},
                                                          {"ratio", SEGMENT_VALUE_DOUBLE, NULL},
                                                          {"table", SEGMENT_VALUE_STRING, "a\0b\0"}};
    const struct segment_builder_value tuples[][3] = {
        {{.word = 0}, {.word = 1}, {.text = "a"}},
        {{.word = 99}, {.is_invalid = true}, {.text = "\xFF\xC3\xA9"}},
        {{.word = 7}, {.word = UINT64_MAX}, {.text = ""}},
    };
    struct segment_builder_series series = {.labels = "a\0b\0c\0d\0",
                                            .bounds = bounds,
                                            .bucket_count = 3,
                                            .has_skipped = true,
                                            .has_items = true,
                                            .has_interval = true,
                                            .has_last_start = true,
                                            .has_last_success = true,
                                            .is_health_check = true,
                                            .has_errors = true,
                                            .sample_interval = 3};

    segment_builder_init(builder, &(struct segment_builder_options){.constant_labels = "team\0db\0",
                                                                    .blocks = 2,
                                                                    .block_bytes = 65536,
                                                                    .resources = 2,
                                                                    .signals = (const int[]){11, 7, 0}});
    segment_builder_function(builder, 0)->has_recover = 1;
    segment_builder_panics(builder, 1)[0] = 3;
    segment_builder_add_function(builder, "one", "prog");
    segment_builder_add_function(builder, "two", "prog");
    segment_builder_add_series(builder, &series);
    series.function = 1;
    series.has_entry = true;
    series.values = segment_builder_add_values(builder, labels, 3, 8);
    series.entry_values = segment_builder_add_values(builder, labels, 2, 4);
    series.error_values = segment_builder_add_values(builder, labels + 2, 1, 4);
    for (int i = 0; i < 3; i++) {
        segment_builder_add_tuple(builder, series.values, tuples[i]);
        segment_builder_add_tuple(builder, series.entry_values, tuples[i]);
    }
    segment_builder_add_series(builder, &series);
    for (uint64_t i = SEGMENT_BLOCK_HEADER_BYTES / 8; i < builder->next_cell / 8; i++)
        ((uint64_t *)(void *)((char *)builder->segment + builder->segment->blocks))[i] = i % 5;
    segment_builder_resource(builder, 0)->in_use.is_known = 1;
}

/* Something that looks like what may be there, so that damage gets past the first check. */
static uint64_t random_value(const struct segment_header *segment)
{
    switch (random_below(8)) {
    case 0:
        return random_word();
    case 1:
        return random_word() >> random_below(64);
    case 2:
        return 0 - random_below(64);
    case 3:
        return segment->segment_bytes - random_below(16) * 8;
    case 4:
        return segment->text + random_below(segment->text_used + 1);
    case 5:
        return segment->blocks - random_below(16) * 8;
    default:
        return random_below(24);
    }
}

/* Words of 4 or 8 bytes in the header, the tables or the part of the arena that is used. */
static void damage(struct segment_header *segment, const struct segment_header *sound)
{
    uint64_t value = random_value(sound);
    uint64_t end = sound->text + sound->text_used;
    uint64_t start = random_below(2) ? 0 : sound->series;
    uint64_t offset = (start + random_below(end - start)) & ~UINT64_C(3);

    memcpy((char *)segment + offset, &value, random_below(2) && offset + 8 <= end ? 8 : 4);
}

static void render(const struct segment_header *segment, uint64_t mapping_bytes)
{
    static const struct snapshot_clock clock = {.ticks = 12345, .unix_seconds = 1.7e9};
    static const struct text_endpoint endpoint = {.version = "1", .revision = "r"};
    struct buffer buffer = {.limit_bytes = OUTPUT_BYTES_MAX};
    struct snapshot snapshot;

    if (snapshot_take(segment, mapping_bytes, &clock, &snapshot) != 0)
        return;
    text_render(&snapshot, &endpoint, &buffer);
    buffer_finish(&buffer);
    snapshot_finish(&snapshot);
}

/* The segment's copy, of which the next page is out of bounds. */
static void *copy(const struct segment_header *segment)
{
    char *memory = mmap(NULL, segment->segment_bytes + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory, segment->segment_bytes, PROT_READ | PROT_WRITE) != 0) {
        perror("mmap");
        exit(1);
    }
    memcpy(memory, segment, segment->segment_bytes);
    return memory;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    struct segment_builder builder;

    build(&builder);
    for (unsigned long round = 0; round < rounds; round++) {
        void *segment = copy(builder.segment);
        uint64_t count = 1 + random_below(DAMAGES_MAX);

        random_state = (seed + round) * UINT64_C(0xD1B54A32D192ED03);
        for (uint64_t i = 0; i < count; i++)
            damage(segment, builder.segment);
        render(segment, builder.segment->segment_bytes);
        munmap(segment, builder.segment->segment_bytes + 4096);
    }
    printf("%lu rounds from seed %lu\n", rounds, seed);
    segment_builder_finish(&builder);
    return 0;
}
