/* Checks that a tracked call changes no register: neither on the way in nor on the way out. */
#include "victim.h"

#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GENERAL_REGISTERS = 15, /* rbx rcx rdx rsi rdi rbp r8-r15 rax, in the order of registers_probe.S */
    XSAVE_BYTES = 4096,
    XSAVE_HEADER = 512,
    XSAVE_X87_AND_SSE = 464, /* the legacy area without what processors leave undefined */
};

struct registers {
    uint64_t general[GENERAL_REGISTERS];
    uint64_t rsp;
    uint8_t xsave[XSAVE_BYTES] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct registers, xsave) == 128, "XSAVE_OFFSET of registers_probe.S");

/* State components: x87, SSE, AVX, and AVX-512's masks, upper halves and upper registers. */
static const uint32_t wanted = 0xe7;

extern struct registers registers_in, registers_out, registers_seen, registers_init;
extern uint32_t registers_mask;
extern void (*registers_callee)(void);
struct registers registers_in, registers_out, registers_seen, registers_init;
uint32_t registers_mask;
void (*registers_callee)(void);

void registers_probe(void);
void idle(void);
void idle_cet(void);
void witness(void);

static uint32_t enabled_components(void)
{
    uint32_t eax, ebx, ecx, edx;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return 0;
    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax & wanted;
}

static uint32_t component_place(unsigned component, uint32_t *ret_bytes)
{
    uint32_t eax, ebx, ecx, edx;

    __cpuid_count(0xd, component, eax, ebx, ecx, edx);
    *ret_bytes = eax;
    return ebx;
}

static void fill_component(unsigned component)
{
    uint32_t bytes, offset = component_place(component, &bytes);

    for (uint32_t i = 0; i < bytes; i++)
        registers_in.xsave[offset + i] = (uint8_t)(i * 7 + component * 13 + 1);
}

static void fill(uint64_t seed)
{
    uint8_t *legacy = registers_in.xsave;
    uint16_t control = 0x0f7f; /* double extended, toward zero, exceptions masked: not the default */
    uint16_t status = 5 << 11; /* three registers in use */
    uint32_t mxcsr = 0x7f80;   /* toward zero, exceptions masked: not the default */
    uint64_t components = registers_mask;

    memset(&registers_in, 0, sizeof(registers_in));
    for (unsigned i = 0; i < GENERAL_REGISTERS; i++)
        registers_in.general[i] = UINT64_C(0x0101010101010101) * (i + 1) + seed;
    memcpy(legacy, &control, sizeof(control));
    memcpy(legacy + 2, &status, sizeof(status));
    legacy[4] = 0xe0; /* tags: registers 5, 6 and 7 are valid */
    memcpy(legacy + 24, &mxcsr, sizeof(mxcsr));
    for (unsigned i = 0; i < 3; i++) {
        long double value = (long double)(seed + i) + 0.125L;

        memcpy(legacy + 32 + 16 * i, &value, 10);
    }
    for (unsigned i = 160; i < 160 + 256; i++)
        legacy[i] = (uint8_t)(i * 3 + seed);
    for (unsigned component = 2; component < 8; component++) {
        if (registers_mask & (UINT32_C(1) << component))
            fill_component(component);
    }
    memcpy(registers_in.xsave + XSAVE_HEADER, &components, sizeof(components));
}

static void compare(const struct registers *got, const char *where)
{
    static const char *const names[] = {"rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9",
                                        "r10", "r11", "r12", "r13", "r14", "r15", "rax"};
    uint32_t bytes, offset;

    /* In the callee rbx is the trampoline's: it carries no argument, and is its caller's again after the call. */
    for (unsigned i = got == &registers_seen ? 1 : 0; i < GENERAL_REGISTERS; i++) {
        if (got->general[i] != registers_in.general[i]) {
            printf("FAILED %s: %s is %#llx, was %#llx\n", where, names[i], (unsigned long long)got->general[i],
                   (unsigned long long)registers_in.general[i]);
            victim_failures++;
        }
    }
    if (memcmp(got->xsave, registers_in.xsave, 28) != 0 ||
        memcmp(got->xsave + 32, registers_in.xsave + 32, XSAVE_X87_AND_SSE - 32) != 0) {
        printf("FAILED %s: x87, MXCSR or xmm registers\n", where);
        victim_failures++;
    }
    for (unsigned component = 2; component < 8; component++) {
        if (!(registers_mask & (UINT32_C(1) << component)))
            continue;
        offset = component_place(component, &bytes);
        if (memcmp(got->xsave + offset, registers_in.xsave + offset, bytes) != 0) {
            printf("FAILED %s: state component %u\n", where, component);
            victim_failures++;
        }
    }
}

static void probe(void (*callee)(void), uint64_t seed)
{
    registers_callee = callee;
    fill(seed);
    errno = EAGAIN;
    registers_probe();
    CHECK(errno == EAGAIN);
    compare(&registers_out, "after the call");
    CHECK(registers_out.rsp == registers_in.rsp);
    if (callee == witness)
        compare(&registers_seen, "in the callee");
}

static void probe_all(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        probe(idle, i);
        probe(idle_cet, i);
        probe(witness, i);
    }
}

static void say_truth(unsigned calls)
{
    printf("truth idle success=%u\ntruth idle_cet success=%u\ntruth witness success=%u\n", calls, calls, calls);
}

static void steady(void)
{
    probe_all(1000);
    say_truth(1000);
}

static void *start_idle(void *unused)
{
    probe(idle, 1);
    probe(idle_cet, 2);
    return unused;
}

static void *start_witness(void *unused)
{
    probe(witness, 3);
    probe(idle, 4);
    probe(idle_cet, 5);
    return unused;
}

/* The first call of each thread takes the slow way in. */
static void first_calls(void)
{
    pthread_t thread;

    for (int i = 0; i < 100; i++) {
        CHECK(pthread_create(&thread, NULL, i % 2 ? start_idle : start_witness, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    printf("truth idle success=100\ntruth idle_cet success=100\ntruth witness success=50\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"steady", steady},
        {"first-calls", first_calls},
        {NULL, NULL},
    };

    registers_mask = enabled_components();
    memcpy(registers_init.xsave + 24, &(uint32_t){0x1f80}, 4); /* MXCSR as a program finds it; all else is zero */
    if (registers_mask == 0) {
        fprintf(stderr, "this processor has no XSAVE\n");
        return 77;
    }
    return victim_main(argc, argv, modes);
}
