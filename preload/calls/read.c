#include "preload/calls/read.h"

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"

#define PAGE ((uintptr_t)4096)

/* Out of line, so that what is usual need not save registers for it. */
#define RARE __attribute__((noinline, cold))

enum {
    PROBES_BEFORE_STACK = 16, /* on a thread, before it is worth to find out where its stack is */
    UTF8_CONTINUATION_MAX = 3,
};

static const struct read_range *ranges;
static size_t range_count;
static uintptr_t break_low;
static void *const *break_end;

void read_init(const struct read_range *given_ranges, size_t count, uintptr_t given_break_low,
               void *const *given_break_end)
{
    ranges = given_ranges;
    range_count = count;
    break_low = given_break_low;
    break_end = given_break_end;
}

/* Bytes that can be read from `address` on, as far as the range tells. */
static size_t range_room(uintptr_t address)
{
    size_t low = 0;
    size_t high = range_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (address < ranges[middle].low)
            high = middle;
        else if (address >= ranges[middle].high)
            low = middle + 1;
        else
            return ranges[middle].high - address;
    }
    return 0;
}

static inline size_t heap_room(uintptr_t address)
{
    uintptr_t end = break_end ? (uintptr_t)*break_end : 0;

    return address >= break_low && address < end ? end - address : 0;
}

/* What lies above the call on the thread's own stack is there as long as the call is. */
static size_t stack_room(const struct read_call *call, uintptr_t address)
{
    struct stack_range stack = {call->lane->stack_low, call->lane->stack_high};
    uintptr_t top = (uintptr_t)call->stack;

    if (stack.high <= 1) {
        if (++call->lane->probes != PROBES_BEFORE_STACK)
            return 0;
        stack = lane_stack(call->lane);
    }
    return address >= top && stack_range_has(stack, top) && address < stack.high ? stack.high - address : 0;
}

static size_t probe_room(uintptr_t address)
{
    return !forbidden_is(SYS_rt_sigprocmask) && cpu_is_readable(address & ~(uintptr_t)7) ? PAGE - address % PAGE : 0;
}

/* How many bytes can be read from `address` on; 0: none. At least one more than that may be readable as well. */
static size_t room_at(const struct read_call *call, uintptr_t address)
{
    size_t room = heap_room(address);

    if (!room)
        room = range_room(address);
    if (!room)
        room = stack_room(call, address);
    return room ? room : probe_room(address);
}

/* A load that may fault all the same: another thread unmaps, or the program forbids pages of its own. The handler of
 * the fault (panic/) finds the load in this table and goes on at its label. */
#define LOAD(instruction, address, ret_value, fault)                                                                   \
    __asm__ goto("1: " instruction " (%1), %0\n\t"                                                                     \
                 ".pushsection hot_read_sites, \"a\", @progbits\n\t"                                                   \
                 ".long 1b - ., %l2 - .\n\t"                                                                           \
                 ".popsection"                                                                                         \
                 : "=r"(ret_value)                                                                                     \
                 : "r"(address)                                                                                        \
                 : "memory"                                                                                            \
                 : fault)

/* Two distances each: from here to the load, from the second word to where it goes on. */
extern const int32_t sites[][2] __asm__("__start_hot_read_sites") __attribute__((visibility("hidden")));
extern const int32_t sites_end[][2] __asm__("__stop_hot_read_sites") __attribute__((visibility("hidden")));

uintptr_t read_resume(uintptr_t address)
{
    for (const int32_t(*site)[2] = sites; site < sites_end; site++)
        if ((uintptr_t) & (*site)[0] + (uintptr_t)(intptr_t)(*site)[0] == address)
            return (uintptr_t) & (*site)[1] + (uintptr_t)(intptr_t)(*site)[1];
    return 0;
}

/* Copies `bytes` (at most 8) from memory that may not be there. */
static bool copy_small(const struct read_call *call, uintptr_t address, unsigned bytes, uint64_t *ret_word)
{
    uint64_t word = 0;
    uint64_t byte;
    size_t room = 0;

    for (unsigned i = 0; i < bytes; i++) {
        if (room == 0)
            room = room_at(call, address + i);
        if (room == 0)
            return false;
        room--;
        LOAD("movzbq", address + i, byte, fault);
        word |= byte << (i * 8);
    }
    *ret_word = word;
    return true;
fault:
    return false;
}

void read_prepare(struct value_location *location)
{
    /* By number: where PUSH_FOR_C puts rdi, rsi, rdx, rcx, r8 and r9. */
    static const uint8_t positions[VALUE_STACK_WORD_FIRST] = {5, 6, 7, 8, 4, 3};

    if (location->place != VALUE_IN_REGISTER)
        return;
    if (location->number < VALUE_STACK_WORD_FIRST)
        location->number = positions[location->number];
    else
        location->number = (uint8_t)(location->number - VALUE_STACK_WORD_FIRST + READ_STACK_NUMBER);
}

/* The 8 bytes that the location's place holds, or the upper half of a vector's register. */
static inline uint64_t place_word(const struct read_call *call, const struct value_location *location, bool is_upper)
{
    if (__builtin_expect(location->place == VALUE_IN_REGISTER, true))
        return location->number < READ_STACK_NUMBER ? call->registers[location->number]
                                                    : call->stack[location->number - READ_STACK_NUMBER];
    if (location->place == VALUE_IN_VECTOR)
        return call->vectors[location->number][is_upper];
    return location->type == VALUE_FLOAT || location->type == VALUE_DOUBLE ? call->float_ret : call->ret;
}

static uint64_t extend(uint64_t word, const struct value_location *location)
{
    unsigned unused = 64 - location->bytes * 8U;

    if (location->type == VALUE_INT32 || location->type == VALUE_INT64)
        return (uint64_t)((int64_t)(word << unused) >> unused);
    word = word << unused >> unused;
    return location->type == VALUE_BOOL ? word != 0 : word;
}

bool read_word(const struct read_call *call, const struct value_location *location, uint64_t *ret_word)
{
    bool is_upper = !location->is_memory && location->offset >= 8;
    uint64_t word = place_word(call, location, is_upper);

    if (location->is_memory) {
        if (!copy_small(call, word + (uint64_t)location->offset, location->bytes, &word))
            return false;
    } else {
        word >>= location->offset % 8 * 8;
    }
    *ret_word = extend(word, location);
    return true;
}

#define BYTE_ONES  UINT64_C(0x0101010101010101)
#define BYTE_HIGHS UINT64_C(0x8080808080808080)

/* Zeroes what lies behind `length`, up to the end of its word. */
static void clear_rest(uint64_t *text, int length)
{
    unsigned used = (unsigned)length % 8 * 8;

    if (used)
        text[length / 8] = text[length / 8] << (64 - used) >> (64 - used);
}

/* Copies a string word by word where all that may be looked at can be read; zeroes what follows its NUL in the last
 * word. Its length, at most `words` * 8. What is done with the words depends on their bytes alone, not on the length:
 * that comes later. */
static inline int copy_words(uintptr_t address, unsigned words, uint64_t *text)
{
    uint64_t *at = text;

    for (; at < text + words; at++, address += 8) {
        uint64_t word;
        uint64_t nul;

        LOAD("movq", address, word, fault);
        nul = (word - BYTE_ONES) & ~word & BYTE_HIGHS; /* exact up to the lowest one */
        if (nul) {
            *at = word & ((nul & -nul) - 1) >> 7;
            return (int)((at - text) * 8 + __builtin_ctzll(nul) / 8);
        }
        *at = word;
    }
    return (int)(words * 8);
fault:
    return -1;
}

/* The same byte by byte; beyond a page or a range the next one is asked for. -1: they cannot be read. */
static RARE int copy_bytes(const struct read_call *call, uintptr_t address, unsigned max, uint64_t *text)
{
    size_t room = 0;

    for (unsigned i = 0; i < max; i++) {
        uint64_t byte;

        if (room == 0)
            room = room_at(call, address + i);
        if (room == 0)
            return -1;
        room--;
        LOAD("movzbq", address + i, byte, fault);
        if (byte == 0)
            return (int)i;
        text[i / 8] = (i % 8 ? text[i / 8] : 0) | byte << (i % 8 * 8);
    }
    return (int)max;
fault:
    return -1;
}

/* The bytes of a string that lie below `max`, up to its NUL; -1: they cannot be read. `text` has room for whole words.
 */
static inline int copy_string(const struct read_call *call, uintptr_t address, unsigned max, uint64_t *text)
{
    unsigned words = (max + 7) / 8;
    int length;

    if (heap_room(address) < words * 8 && range_room(address) < words * 8)
        return copy_bytes(call, address, max, text);
    length = copy_words(address, words, text);
    if (length >= (int)max) {
        length = (int)max;
        clear_rest(text, length);
    }
    return length;
}

static bool is_continuation(const uint64_t *text, int position)
{
    return (text[position / 8] >> (position % 8 * 8) & 0xC0) == 0x80;
}

/* Cuts a longer text: a character of UTF-8 that would not be whole is left out. The length of what is kept. */
static RARE int cut(uint64_t *text)
{
    int length = SEGMENT_STRING_BYTES;

    for (int i = 0; i < UTF8_CONTINUATION_MAX && is_continuation(text, length); i++)
        length--;
    if (is_continuation(text, length))
        length = SEGMENT_STRING_BYTES;
    clear_rest(text, length);
    return length;
}

/* Of a string that a structure points to or holds. 0 where there is no pointer to be had. */
static RARE uintptr_t field_address(const struct read_call *call, const struct value_location *location, uint64_t word)
{
    word += (uint64_t)location->offset;
    if (location->string_bytes == 0 && !copy_small(call, word, sizeof(word), &word))
        return 0;
    return (uintptr_t)word;
}

/* One word more than the field has may be written: the byte that says whether the text goes on. */
static uint32_t read_string(const struct read_call *call, const struct value_location *location, uint64_t *field)
{
    uint64_t *text = field + 1;
    uint64_t address = place_word(call, location, false);
    unsigned max = SEGMENT_STRING_BYTES + 1;
    int length;

    if (location->is_memory) {
        if (location->string_bytes && location->string_bytes < max)
            max = location->string_bytes;
        address = field_address(call, location, address);
    }
    length = copy_string(call, address, max, text);
    if (length < 0) {
        field[0] = SEGMENT_VALUE_INVALID;
        return 1;
    }
    if (length > SEGMENT_STRING_BYTES)
        length = cut(text);
    field[0] = (uint64_t)length;
    return ((uint32_t)length + 7) / 8 + 1;
}

static uint32_t read_scalar(const struct read_call *call, const struct value_location *location, uint64_t *field)
{
    bool is_read = read_word(call, location, &field[1]);

    if (!is_read)
        field[1] = 0;
    field[0] = is_read ? 0 : SEGMENT_VALUE_INVALID;
    return SEGMENT_SCALAR_FIELD_BYTES / 8;
}

uint32_t read_field(const struct read_call *call, const struct value_location *location, uint64_t *field)
{
    return location->type == VALUE_CSTRING ? read_string(call, location, field) : read_scalar(call, location, field);
}
