#include "preload/control/reports/backtrace.h"

#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "preload/control/memory/safe_read.h"
#include "preload/control/patching/stub_map.h"
#include "preload/control/reports/mapped.h"
#include "preload/records/hot.h"

/* libunwind-x86_64's search for an address in a sorted table of .eh_frame_hdr; libunwind-ptrace and perf use it too. */
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
int search_unwind_table(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *);

enum {
    REGISTERS = UNW_X86_64_RIP + 1,
    STEPS_PER_FRAME = 4, /* frames that are left out are no more than so many for one that is shown */
    READS_PER_LOOK = 64, /* at the clock */
    RECORD_STEPS_MAX = 256,
    /* .eh_frame_hdr: version, encodings of the pointer to .eh_frame, of the count, of the table. */
    HEADER_BYTES = 12,
    HEADER_PCREL_SDATA4 = 0x1B,
    HEADER_UDATA4 = 0x03,
    HEADER_DATAREL_SDATA4 = 0x3B,
};

#define RECORD_LIMIT_NS UINT64_C(100000000)

/* One unwinding. */
struct walk {
    uint64_t registers[REGISTERS]; /* of the innermost frame */
    uint64_t deadline_ns;
    unsigned reads;
    bool is_late;
    unw_cursor_t cursor;
    bool is_exact; /* the cursor's pc is that of an instruction */
    bool is_moved; /* the cursor's pc is one less than the return address that it stands for */
};

static struct backtrace_config config;
static unw_addr_space_t space;
static struct walk walk;       /* too large for a small stack; one thread at a time */
static atomic_bool is_walking; /* libunwind has a lock, which it keeps for ever if it is left by a jump */

/* Of this thread's work: a walk waits for nothing, and a program that is stopped meanwhile, or gets no processor, is no
 * reason to end it. */
static uint64_t now_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Accessors -------------------------------------------------------------------------------------------------------- */

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *info, int need_unwind_info, void *arg)
{
    struct mapped mapped;
    struct __attribute__((packed)) {
        uint8_t version, pointer_encoding, count_encoding, table_encoding;
        int32_t eh_frame;
        uint32_t count;
    } header;
    unw_dyn_info_t table = {0};

    _Static_assert(sizeof(header) == HEADER_BYTES, ".eh_frame_hdr");
    if (!mapped_find(ip, &mapped) || !mapped.eh_frame_hdr || !safe_read(mapped.eh_frame_hdr, &header, sizeof(header)) ||
        header.version != 1 || header.pointer_encoding != HEADER_PCREL_SDATA4 ||
        header.count_encoding != HEADER_UDATA4 || header.table_encoding != HEADER_DATAREL_SDATA4)
        return -UNW_ENOINFO;
    table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
    table.start_ip = mapped.start;
    table.end_ip = mapped.end;
    table.u.rti.segbase = mapped.eh_frame_hdr;
    table.u.rti.table_data = mapped.eh_frame_hdr + HEADER_BYTES;
    table.u.rti.table_len = header.count; /* entries of two 32-bit words, in words of 64 bits */
    return search_unwind_table(as, ip, &table, info, need_unwind_info, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *arg)
{
    (void)as;
    (void)info;
    (void)arg;
}

static int no_dynamic_list(unw_addr_space_t as, unw_word_t *address, void *arg)
{
    (void)as;
    (void)address;
    (void)arg;
    return -UNW_ENOINFO;
}

static int access_memory(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int is_write, void *arg)
{
    struct walk *given = arg;

    (void)as;
    if (++given->reads % READS_PER_LOOK == 0 && now_ns() > given->deadline_ns)
        given->is_late = true;
    if (is_write || given->is_late || !safe_read(address, value, sizeof(*value)))
        return -UNW_EINVAL;
    return 0;
}

static int access_register(unw_addr_space_t as, unw_regnum_t number, unw_word_t *value, int is_write, void *arg)
{
    struct walk *given = arg;

    (void)as;
    if (is_write || number < 0 || number >= REGISTERS)
        return -UNW_EBADREG;
    *value = given->registers[number];
    return 0;
}

static int no_float_register(unw_addr_space_t as, unw_regnum_t number, unw_fpreg_t *value, int is_write, void *arg)
{
    (void)as;
    (void)number;
    (void)value;
    (void)is_write;
    (void)arg;
    return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
    (void)as;
    (void)cursor;
    (void)arg;
    return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t address, char *name, size_t bytes, unw_word_t *offset, void *arg)
{
    (void)as;
    (void)address;
    (void)name;
    (void)bytes;
    (void)offset;
    (void)arg;
    return -UNW_ENOINFO;
}

/* Walking ---------------------------------------------------------------------------------------------------------- */

static void registers_of(const ucontext_t *context, uint64_t registers[REGISTERS])
{
    static const uint8_t order[REGISTERS] = {
        [UNW_X86_64_RAX] = REG_RAX, [UNW_X86_64_RDX] = REG_RDX, [UNW_X86_64_RCX] = REG_RCX, [UNW_X86_64_RBX] = REG_RBX,
        [UNW_X86_64_RSI] = REG_RSI, [UNW_X86_64_RDI] = REG_RDI, [UNW_X86_64_RBP] = REG_RBP, [UNW_X86_64_RSP] = REG_RSP,
        [UNW_X86_64_R8] = REG_R8,   [UNW_X86_64_R9] = REG_R9,   [UNW_X86_64_R10] = REG_R10, [UNW_X86_64_R11] = REG_R11,
        [UNW_X86_64_R12] = REG_R12, [UNW_X86_64_R13] = REG_R13, [UNW_X86_64_R14] = REG_R14, [UNW_X86_64_R15] = REG_R15,
        [UNW_X86_64_RIP] = REG_RIP,
    };

    for (size_t i = 0; i < REGISTERS; i++)
        registers[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
}

static bool is_trampoline(uintptr_t pc)
{
    return pc >= config.trampolines && pc < config.trampolines_end;
}

static uintptr_t walk_pc(struct walk *given)
{
    unw_word_t pc = 0;

    unw_get_reg(&given->cursor, UNW_REG_IP, &pc);
    return pc + given->is_moved;
}

/* True where a handler returns to: the restorer of a libc, which goes back to what was interrupted. From there on the
 * pc is not behind a call, nor is it there. libunwind's own answer comes one frame late. */
static bool is_restorer(uintptr_t pc)
{
    static const uint8_t glibc[] = {0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05}; /* mov $15, %rax; syscall */
    static const uint8_t others[] = {0xB8, 0x0F, 0, 0, 0, 0x0F, 0x05};            /* mov $15, %eax; syscall */
    uint8_t code[sizeof(glibc)];

    return safe_read(pc, code, sizeof(code)) &&
           (memcmp(code, glibc, sizeof(glibc)) == 0 || memcmp(code, others, sizeof(others)) == 0);
}

/* Puts the cursor at the registers, as if that frame were the innermost one. */
static bool walk_restart(struct walk *given)
{
    return unw_init_remote(&given->cursor, space, given) == 0;
}

/* Where the pc is in a stub, goes to where it would be without us. The memory that the cursor's frame saved registers
 * to does not change, so their values may be read out now. */
static bool walk_unpatch(struct walk *given)
{
    struct relocated_registers registers = {.pc = walk_pc(given)};
    unw_word_t value;

    unw_get_reg(&given->cursor, UNW_X86_64_RSP, &value);
    registers.sp = value;
    unw_get_reg(&given->cursor, UNW_X86_64_RBX, &registers.rbx);
    if (!stub_map_back(config.stubs, &registers))
        return true;
    for (int i = 0; i < REGISTERS; i++)
        if (unw_get_reg(&given->cursor, i, &value) == 0)
            given->registers[i] = value;
    given->registers[UNW_X86_64_RIP] = registers.pc;
    given->registers[UNW_X86_64_RSP] = registers.sp;
    given->registers[UNW_X86_64_RBX] = registers.rbx;
    return walk_restart(given);
}

static bool walk_begin(struct walk *given, const ucontext_t *context, uint64_t limit_ns)
{
    memset(given, 0, sizeof(*given));
    given->deadline_ns = now_ns() + limit_ns;
    given->is_exact = true;
    safe_read_begin();
    registers_of(context, given->registers);
    return walk_restart(given) && walk_unpatch(given);
}

/* A call of a bad pointer: its return address is on top of the stack. The pc is one less than that, so that the tables
 * of the call are found, and not those of what follows it. */
static bool walk_out_of_nowhere(struct walk *given)
{
    uint64_t *sp = &given->registers[UNW_X86_64_RSP];
    uint64_t *pc = &given->registers[UNW_X86_64_RIP];
    struct mapped mapped;
    uint64_t address;

    if (!safe_read(*sp, &address, sizeof(address)) || !mapped_find(address, &mapped))
        return false;
    *pc = address - 1;
    *sp += sizeof(address);
    given->is_moved = true;
    given->is_exact = false;
    return walk_restart(given);
}

/* To the caller's frame. */
static bool walk_step(struct walk *given, bool is_innermost)
{
    bool is_signal;
    uint8_t byte;

    if (is_innermost && !safe_read(walk_pc(given), &byte, sizeof(byte)))
        return walk_out_of_nowhere(given);
    is_signal = is_restorer(walk_pc(given));
    if (unw_step(&given->cursor) <= 0 || given->is_late)
        return false;
    given->is_moved = false;
    given->is_exact = is_signal;
    return walk_pc(given) != 0 && walk_unpatch(given);
}

/* Interface -------------------------------------------------------------------------------------------------------- */

static void take(const ucontext_t *context, size_t depth, uint64_t limit_ns, struct backtrace *backtrace)
{
    size_t steps = 0;

    if (!walk_begin(&walk, context, limit_ns))
        return;
    do {
        struct backtrace_frame *frame = &backtrace->frames[backtrace->count];

        *frame = (struct backtrace_frame){walk_pc(&walk), walk.is_exact || is_restorer(walk_pc(&walk))};
        if (!is_trampoline(frame->pc))
            backtrace->count++;
    } while (backtrace->count < depth && steps++ < depth * STEPS_PER_FRAME && walk_step(&walk, steps == 1));
}

/* libunwind gets its memory here, at its first steps, and opens a pipe for a kind of unwinding that is not used. */
static int open_space(void)
{
    static unw_accessors_t accessors = {
        .find_proc_info = find_proc_info,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = no_dynamic_list,
        .access_mem = access_memory,
        .access_reg = access_register,
        .access_fpreg = no_float_register,
        .resume = no_resume,
        .get_proc_name = no_name,
    };
    struct backtrace trial;
    ucontext_t here;

    space = unw_create_addr_space(&accessors, 0);
    if (!space)
        return -ENOMEM;
    unw_set_caching_policy(space, UNW_CACHE_NONE);
    getcontext(&here);
    backtrace_take(&here, BACKTRACE_FRAMES_MAX, UINT64_MAX / 2, &trial);
    return trial.count > 1 ? 0 : -ENOSYS;
}

static bool is_end_of_pipe(int fd, int mode, ino_t *ret_inode)
{
    struct stat status;

    *ret_inode = 0;
    if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode))
        return false;
    *ret_inode = status.st_ino;
    return fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == (mode | O_NONBLOCK);
}

/* Where the program's own libunwind makes its pipe here (withheld.h), that would keep two descriptors. It gets the
 * lowest numbers that are free: those that another pipe had just before, where there is no other thread. */
int backtrace_init(const struct backtrace_config *given)
{
    ino_t inodes[2];
    int ends[2];
    int result;

    config = *given;
    if (!__libc_single_threaded || pipe2(ends, O_CLOEXEC) != 0)
        return open_space();
    close(ends[0]);
    close(ends[1]);
    result = open_space();
    if (is_end_of_pipe(ends[0], O_RDONLY, &inodes[0]) && is_end_of_pipe(ends[1], O_WRONLY, &inodes[1]) &&
        inodes[0] == inodes[1]) {
        close(ends[0]);
        close(ends[1]);
    }
    return result;
}

void backtrace_take(const ucontext_t *context, size_t depth, uint64_t limit_ns, struct backtrace *ret_backtrace)
{
    ret_backtrace->count = 0;
    if (depth > BACKTRACE_FRAMES_MAX)
        depth = BACKTRACE_FRAMES_MAX;
    if (atomic_exchange(&is_walking, true)) {
        ret_backtrace->frames[0] = (struct backtrace_frame){(uintptr_t)context->uc_mcontext.gregs[REG_RIP], true};
        ret_backtrace->count = 1;
        return;
    }
    take(context, depth, limit_ns, ret_backtrace);
    atomic_store(&is_walking, false);
}

/* The cursor is where the tracked function returns to: does the rest agree? */
static int read_registers(const struct record *record, struct backtrace_registers *ret)
{
    static const int numbers[] = {UNW_X86_64_RBP, UNW_X86_64_R12, UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15};
    uint64_t *const values[] = {&ret->rbp, &ret->r12, &ret->r13, &ret->r14, &ret->r15};
    unw_word_t sp = 0, rbx = 0;

    unw_get_reg(&walk.cursor, UNW_X86_64_RSP, &sp);
    unw_get_reg(&walk.cursor, UNW_X86_64_RBX, &rbx);
    if (sp != record_slot(record) + sizeof(sp) || rbx != (uintptr_t)record)
        return -ENOENT;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (unw_get_reg(&walk.cursor, numbers[i], values[i]) != 0)
            return -ENOENT;
    return 0;
}

/* True if the frame has a table of what is to be done when an exception passes. */
static bool has_cleanups(void)
{
    unw_proc_info_t info;

    return unw_get_proc_info(&walk.cursor, &info) != 0 || info.lsda != 0;
}

static int find_record(const ucontext_t *context, const struct record *record, struct backtrace_registers *registers)
{
    if (!walk_begin(&walk, context, RECORD_LIMIT_NS))
        return -ENOENT;
    for (size_t steps = 0; !is_trampoline(walk_pc(&walk)); steps++) {
        bool is_known = steps > 0 || walk_pc(&walk) != 0;

        if (is_known && has_cleanups())
            registers->has_cleanups = true;
        if (is_restorer(walk_pc(&walk)))
            registers->has_handler = true;
        if (registers->pc_count < BACKTRACE_FRAMES_MAX)
            registers->pcs[registers->pc_count++] = walk_pc(&walk);
        if (steps == RECORD_STEPS_MAX || !walk_step(&walk, steps == 0))
            return -ENOENT;
    }
    return read_registers(record, registers);
}

int backtrace_to_record(const ucontext_t *context, const struct record *record, struct backtrace_registers *ret)
{
    struct backtrace_registers registers = {0};
    int result;

    if (atomic_exchange(&is_walking, true))
        return -EBUSY;
    result = find_record(context, record, &registers);
    atomic_store(&is_walking, false);
    if (result == 0)
        *ret = registers;
    return result;
}

static bool has_tables(uintptr_t pc, unw_proc_info_t *ret_info)
{
    return find_proc_info(space, pc, ret_info, 0, &walk) == 0;
}

/* Returns to where a function begins, behind no call: nobody has called, the stack was made so (makecontext). */
static bool is_beginning(void)
{
    unw_proc_info_t info;

    return !walk.is_exact && has_tables(walk_pc(&walk), &info) && info.start_ip == walk_pc(&walk);
}

static int find_signal_frame(const ucontext_t *context, uint64_t limit_ns)
{
    unw_proc_info_t info;
    int step;

    if (!walk_begin(&walk, context, limit_ns))
        return -ENOENT;
    do {
        if (is_restorer(walk_pc(&walk)))
            return 1;
        /* Where there are no tables libunwind guesses, by rbp: it may jump over a handler's frame. */
        if (!has_tables(walk_pc(&walk) - !walk.is_exact, &info))
            return is_beginning() ? 0 : -ENOENT;
        step = unw_step(&walk.cursor);
        if (step < 0 || walk.is_late)
            return -ENOENT;
        walk.is_moved = false;
        walk.is_exact = false;
    } while (step > 0 && walk_pc(&walk) != 0 && walk_unpatch(&walk));
    return step > 0 && walk_pc(&walk) != 0 ? -ENOENT : 0;
}

int backtrace_meets_signal_frame(const ucontext_t *context, uint64_t limit_ns)
{
    int result;

    if (atomic_exchange(&is_walking, true))
        return -EBUSY;
    result = find_signal_frame(context, limit_ns);
    atomic_store(&is_walking, false);
    return result;
}
