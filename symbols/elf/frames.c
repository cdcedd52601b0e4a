#include "symbols/elf/frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/image.h"

/* Encodings of pointers: a format, and what they are relative to (LSB Core, 10.5). */
enum {
    FRAMES_ENCODING_ABSOLUTE = 0x00,
    FRAMES_ENCODING_UDATA2 = 0x02,
    FRAMES_ENCODING_UDATA4 = 0x03,
    FRAMES_ENCODING_UDATA8 = 0x04,
    FRAMES_ENCODING_SDATA2 = 0x0a,
    FRAMES_ENCODING_SDATA4 = 0x0b,
    FRAMES_ENCODING_SDATA8 = 0x0c,
    FRAMES_ENCODING_FORMAT = 0x0f,
    FRAMES_ENCODING_TO_PLACE = 0x10,
    FRAMES_ENCODING_UNKNOWN = 0xff,
};

/* A walk over bytes. Reading past the end gives zeros and sets is_cut. */
struct frames_cursor {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    uint64_t address; /* of bytes[0] */
    bool is_cut;
};

static uint64_t frames_take(struct frames_cursor *cursor, size_t bytes)
{
    uint64_t value = 0;

    if (cursor->at > cursor->length || cursor->length - cursor->at < bytes) {
        cursor->is_cut = true;
        return 0;
    }
    memcpy(&value, cursor->bytes + cursor->at, bytes);
    cursor->at += bytes;
    return value;
}

/* An LEB128 number; its sign does not matter to anybody here. */
static uint64_t frames_take_leb(struct frames_cursor *cursor)
{
    uint64_t value = 0;
    uint64_t byte;
    unsigned shift = 0;

    do {
        byte = frames_take(cursor, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while ((byte & 0x80) && !cursor->is_cut);
    return value;
}

/* A number of the encoding's format, extended. */
static uint64_t frames_take_format(struct frames_cursor *cursor, uint8_t encoding)
{
    switch (encoding & FRAMES_ENCODING_FORMAT) {
    case FRAMES_ENCODING_ABSOLUTE:
    case FRAMES_ENCODING_UDATA8:
    case FRAMES_ENCODING_SDATA8:
        return frames_take(cursor, 8);
    case FRAMES_ENCODING_UDATA4:
        return frames_take(cursor, 4);
    case FRAMES_ENCODING_SDATA4:
        return (uint64_t)(int32_t)frames_take(cursor, 4);
    case FRAMES_ENCODING_UDATA2:
        return frames_take(cursor, 2);
    case FRAMES_ENCODING_SDATA2:
        return (uint64_t)(int16_t)frames_take(cursor, 2);
    default:
        cursor->is_cut = true;
        return 0;
    }
}

/* The encoding of addresses in the entries of a common information entry, whose body the cursor is at. */
static uint8_t frames_read_common(struct frames_cursor cursor)
{
    uint64_t version = frames_take(&cursor, 1);
    const char *letters = (const char *)cursor.bytes + cursor.at;
    size_t count = cursor.is_cut ? 0 : strnlen(letters, cursor.length - cursor.at);

    cursor.at += count + 1;
    frames_take_leb(&cursor); /* code alignment */
    frames_take_leb(&cursor); /* data alignment */
    if (version == 1)
        frames_take(&cursor, 1); /* return address register */
    else
        frames_take_leb(&cursor);
    if (count == 0)
        return FRAMES_ENCODING_ABSOLUTE;
    if (letters[0] != 'z')
        return FRAMES_ENCODING_UNKNOWN;
    frames_take_leb(&cursor);
    for (size_t i = 1; i < count && !cursor.is_cut; i++) {
        if (letters[i] == 'R')
            return (uint8_t)frames_take(&cursor, 1);
        if (letters[i] == 'L')
            frames_take(&cursor, 1);
        else if (letters[i] == 'P')
            frames_take_format(&cursor, (uint8_t)frames_take(&cursor, 1));
        else if (letters[i] != 'S' && letters[i] != 'B')
            return FRAMES_ENCODING_UNKNOWN;
    }
    return cursor.is_cut ? FRAMES_ENCODING_UNKNOWN : FRAMES_ENCODING_ABSOLUTE;
}

static int frames_add(struct frames *frames, uint64_t address, uint64_t bytes)
{
    struct frame *list = bulk_grow(frames->list, frames->count, &frames->capacity, 256, sizeof(*list));

    if (!list)
        return -ENOMEM;
    frames->list = list;
    frames->list[frames->count++] = (struct frame){.address = address, .bytes = bytes};
    return 0;
}

/* Reads one frame description entry, whose addresses the cursor is at. */
static int frames_read_entry(struct frames *frames, struct frames_cursor cursor, uint8_t encoding)
{
    uint64_t place = cursor.address + cursor.at;
    uint64_t address = frames_take_format(&cursor, encoding);
    uint64_t bytes = frames_take_format(&cursor, encoding & FRAMES_ENCODING_FORMAT);

    if (cursor.is_cut || (encoding & ~(FRAMES_ENCODING_FORMAT | FRAMES_ENCODING_TO_PLACE)) != 0)
        return 0;
    if (encoding & FRAMES_ENCODING_TO_PLACE)
        address += place;
    if (bytes == 0 || bytes > UINT64_MAX - address)
        return 0;
    return frames_add(frames, address, bytes);
}

/* The encoding that an entry's common information entry gives, `distance` bytes in front of `at`. The one read last is
 * kept in *common and *encoding. */
static uint8_t frames_encoding(const struct frames_cursor *cursor, size_t at, uint64_t distance, size_t *common,
                               uint8_t *encoding)
{
    struct frames_cursor from = *cursor;

    if (distance > at)
        return FRAMES_ENCODING_UNKNOWN;
    if (*common == at - distance)
        return *encoding;
    *common = at - distance;
    from.at = *common;
    if (frames_take(&from, 4) == UINT32_MAX)
        frames_take(&from, 8);
    *encoding = FRAMES_ENCODING_UNKNOWN;
    if (frames_take(&from, 4) == 0 && !from.is_cut)
        *encoding = frames_read_common(from);
    return *encoding;
}

static int frames_walk(struct frames *frames, struct frames_cursor *cursor)
{
    size_t common = SIZE_MAX;
    uint8_t encoding = FRAMES_ENCODING_UNKNOWN;
    int result = 0;

    while (result == 0 && cursor->at < cursor->length) {
        uint64_t length = frames_take(cursor, 4);
        size_t at;
        uint64_t distance;

        if (length == UINT32_MAX)
            length = frames_take(cursor, 8);
        if (cursor->is_cut || length > cursor->length - cursor->at)
            break;
        at = cursor->at;
        distance = length >= 4 ? frames_take(cursor, 4) : 0;
        if (distance != 0 && frames_encoding(cursor, at, distance, &common, &encoding) != FRAMES_ENCODING_UNKNOWN)
            result = frames_read_entry(frames, *cursor, encoding);
        cursor->at = at + (size_t)length; /* 0: what ends the part of one file; more may follow */
    }
    return result;
}

static int frames_compare(const void *a, const void *b)
{
    const struct frame *first = a;
    const struct frame *second = b;

    return (first->address > second->address) - (first->address < second->address);
}

int frames_read(struct frames *frames, const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_name(image, ".eh_frame", &header);
    Elf_Data *data = section && header.sh_type != SHT_NOBITS ? elf_rawdata(section, NULL) : NULL;
    struct frames_cursor cursor = {0};
    int result;

    memset(frames, 0, sizeof(*frames));
    if (!data || !data->d_buf)
        return 0;
    cursor.bytes = data->d_buf;
    cursor.length = data->d_size;
    cursor.address = header.sh_addr;
    result = frames_walk(frames, &cursor);
    if (result < 0)
        frames_finish(frames);
    else if (frames->count > 1)
        qsort(frames->list, frames->count, sizeof(*frames->list), frames_compare);
    return result;
}

const struct frame *frames_find(const struct frames *frames, uint64_t address)
{
    size_t low = 0;
    size_t high = frames->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (frames->list[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || address - frames->list[low - 1].address >= frames->list[low - 1].bytes)
        return NULL;
    return &frames->list[low - 1];
}

void frames_finish(struct frames *frames)
{
    bulk_free(frames->list);
    memset(frames, 0, sizeof(*frames));
}
