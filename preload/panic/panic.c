#include "preload/panic/panic.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/log.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/abort.h"
#include "preload/panic/line.h"
#include "preload/panic/wait.h"
#include "preload/records/chain.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/records/record.h"
#include "preload/records/trampolines.h"
#include "preload/signals/actions.h"
#include "preload/signals/cramped.h"
#include "preload/signals/notes.h"
#include "preload/signals/relocated.h"
#include "preload/threads/altstack.h"
#include "preload/threads/attach.h"

#define FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL))

enum {
    CRASH_STACK_BYTES = 128 * 1024,
    NESTED_STACK_BYTES = 64 * 1024,
    SIGSETXID = 33, /* libc's, by which all threads change their user: it waits for each of them */
    RECORDS_MAX = 100000,
};

/* A panic that is being handled. */
struct panic_frame {
    const struct arrival *arrival;
    struct recover_plan plan;
    const char *refusal; /* NULL: the call is left */
    bool is_recoverable; /* the signal can be taken back: it has not been the program's own handler's */
    uint64_t mask;       /* of the thread, before */
    int timer;           /* -1: none */
    bool is_late;        /* half of its time is over */
    unsigned faults;     /* of our own, in the handling */
    bool is_owner;       /* of the crash lock */
    bool is_moved;       /* the thread has another alternate stack than `stack` */
    stack_t stack;
    void *escape[5];
};

static struct panic_config config;
static struct segment_header *segment; /* NULL: nothing is caught */
static uintptr_t crash_stack;          /* top; above it is the stack of signals that come meanwhile */
static _Atomic int server_pid;         /* where our thread runs */

/* Counting --------------------------------------------------------------------------------------------------------- */

/* The innermost call in progress of the interrupted thread. A record whose slot lies below the interrupted stack
 * pointer was left by a jump that nobody saw. */
static struct record *innermost(const ucontext_t *context)
{
    struct lane *lane = hot_thread.lane;
    uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    struct stack_range own;
    struct record *record;

    if (lane == &lane_none || lane == &lane_ours || lane == &lane_shared)
        return NULL;
    own = lane_stack(lane);
    record = lane->current;
    for (unsigned i = 0; i < RECORDS_MAX && record != &lane_bottom; i++, record = record->outer)
        if (atomic_load(&record->state) == RECORD_LIVE &&
            !(stack_range_has(own, sp) && stack_range_has(own, record_slot(record)) && record_slot(record) < sp))
            return record;
    return NULL;
}

static void count_call(struct record *record)
{
    struct lane *lane = hot_thread.lane;
    bool is_counted = record_is_begun(record);

    if (lane_is_borrowed() || !chain_claim(lane, record, RECORD_PANICKED))
        return; /* in a child of vfork: the call is its parent's */
    if (!*lane->block_ref && is_counted)
        counters_add(lane, record->hook, CELL_STARTED, 1); /* forked unnoticed: the parent counted its own */
}

/* -1: not one of the segment's. */
static int position_of(int signal)
{
    for (uint32_t i = 0; i < segment->signal_count && i < SEGMENT_SIGNALS_MAX; i++)
        if (segment->signals[i] == (uint32_t)signal)
            return (int)i;
    return -1;
}

static void count_panic(int signal, const struct hook *hook)
{
    uint64_t *panics = (uint64_t *)((uint8_t *)segment + segment->panics);
    uint32_t row = segment->function_capacity;
    int position = position_of(signal);

    if (position < 0)
        return;
    __atomic_fetch_add(&segment->fatal_signals[position], 1, __ATOMIC_RELAXED);
    if (hook && hook->index < row)
        row = hook->index;
    if (segment->panics)
        __atomic_fetch_add(&panics[(uint64_t)row * SEGMENT_SIGNALS_MAX + (unsigned)position], 1, __ATOMIC_RELAXED);
}

static void count(struct panic_frame *frame)
{
    const struct arrival *arrival = frame->arrival;
    struct record *record = innermost(arrival->context);

    frame->plan = (struct recover_plan){
        .signal = arrival->signal, .info = arrival->info, .context = arrival->context, .record = record};
    count_panic(arrival->signal, record ? record->hook : NULL);
    if (record)
        count_call(record);
}

/* Reporting -------------------------------------------------------------------------------------------------------- */

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char __etext[] __attribute__((visibility("hidden")));

static void write_error(const char *text, size_t bytes)
{
    log_write(STDERR_FILENO, text, bytes);
}

/* The trampolines fault only where the program's stack ends. */
static bool is_in_callmeter(uintptr_t ip)
{
    return ip >= (uintptr_t)__ehdr_start && ip < (uintptr_t)__etext &&
           !(ip >= (uintptr_t)hot_pages && ip < (uintptr_t)hot_pages_end);
}

static void report(void *context)
{
    struct panic_frame *frame = context;
    const struct arrival *arrival = frame->arrival;
    uintptr_t ip = (uintptr_t)arrival->context->uc_mcontext.gregs[REG_RIP];
    struct panic_event event = {
        .signal = arrival->signal,
        .info = arrival->info,
        .context = arrival->context,
        .hook = frame->plan.record ? frame->plan.record->hook : NULL,
        .is_in_callmeter = is_in_callmeter(ip),
        .write_line = write_error,
    };

    if (frame->is_recoverable)
        frame->refusal = recover_prepare(&frame->plan);
    event.recovered = frame->refusal;
    if (!forbidden_lets_report())
        return;
    if (config.report)
        config.report(&event);
    else
        panic_line_write(&event, segment);
}

/* The server thread goes on serving. */
static void linger(void)
{
    if (config.linger_seconds != 0 && atomic_load(&server_pid) == cpu_own_pid())
        panic_wait_linger(config.linger_seconds);
}

/* Writing to a pipe that nobody reads any more must not change what the program dies of. */
static void drop_broken_pipe(bool was_pending)
{
    uint64_t set = SIGNAL_BIT(SIGPIPE);
    struct timespec none = {0};

    if (!was_pending)
        cpu_syscall(SYS_rt_sigtimedwait, (long)&set, 0, (long)&none, SIGNAL_MASK_BYTES, 0, 0);
}

static bool is_pending(int signal)
{
    uint64_t pending = 0;

    cpu_syscall(SYS_rt_sigpending, (long)&pending, SIGNAL_MASK_BYTES, 0, 0, 0, 0);
    return pending & SIGNAL_BIT(signal);
}

/* Everything but faults of our own, the timer's signal and libc's, until the mask is put back. Nothing is opened: what
 * the program's handler has raised again waits for its end. */
static void block_signals(struct panic_frame *frame)
{
    uint64_t mask = ~(FAULTS | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSETXID) |
                      SIGNAL_BIT(frame->arrival->signal));

    own_mask_change(SIG_BLOCK, &mask, &frame->mask);
}

/* One of ours that is not blocked; 0: none. */
static int signal_of_timer(const struct panic_frame *frame)
{
    if (!(frame->mask & SIGNAL_BIT(frame->arrival->signal)))
        return frame->arrival->signal;
    for (uint32_t i = 0; i < segment->signal_count && i < SEGMENT_SIGNALS_MAX; i++)
        if (FAULTS & ~frame->mask & SIGNAL_BIT(segment->signals[i]))
            return (int)segment->signals[i];
    return 0;
}

/* On the crash stack the kernel does not take the thread to be on its alternate one, and would put the next signal's
 * frame over this one's. So there is another for so long. */
static void report_on_stack(void *context)
{
    struct panic_frame *frame = context;
    stack_t nested = {.ss_sp = (void *)crash_stack, .ss_size = NESTED_STACK_BYTES};

    frame->is_moved = cpu_syscall(SYS_sigaltstack, (long)&nested, (long)&frame->stack, 0, 0, 0, 0) == 0;
    report(context);
}

static void report_in_time(struct panic_frame *frame)
{
    int signal = forbidden_lets_report() ? signal_of_timer(frame) : 0;

    frame->timer = signal ? panic_wait_timer(signal) : -1;
    if (crash_stack)
        cpu_call_on_stack(report_on_stack, frame, (void *)crash_stack);
    else
        report(frame);
}

static bool is_recovered(const struct panic_frame *frame)
{
    return frame->is_owner && frame->faults == 0 && !frame->refusal;
}

static void recover(struct panic_frame *frame)
{
    uint64_t *recovered = (uint64_t *)((uint8_t *)segment + segment->recovered);

    if (segment->recovered)
        __atomic_fetch_add(&recovered[frame->plan.record->hook->index], 1, __ATOMIC_RELAXED);
    __atomic_store_n(&segment->is_tainted, 1, __ATOMIC_RELAXED);
    recover_apply(&frame->plan, frame->arrival->context);
}

/* true: the program goes on. Where callmeter itself faults, or takes too long, give_up jumps back into the middle. Who
 * reports a panic that ends the program keeps the lock. */
static bool handle(struct panic_frame *frame)
{
    bool was_pending = is_pending(SIGPIPE);

    frame->timer = -1;
    signals_thread.frame = frame;
    block_signals(frame);
    if (__builtin_setjmp(frame->escape) == 0) {
        count(frame);
        frame->is_owner = !lane_is_borrowed() && panic_wait_lock();
        if (frame->is_owner)
            report_in_time(frame);
        else if (frame->is_recoverable)
            frame->refusal = "another panic is under way";
    }
    panic_wait_timer_stop(frame->timer);
    if (frame->is_moved)
        cpu_syscall(SYS_sigaltstack, (long)&frame->stack, 0, 0, 0, 0, 0);
    drop_broken_pipe(was_pending);
    if (is_recovered(frame)) {
        recover(frame);
        panic_wait_unlock();
    } else if (frame->is_owner) {
        linger();
    }
    signals_thread.frame = NULL;
    own_mask_restore(&frame->mask);
    return is_recovered(frame);
}

struct handling {
    const struct arrival *arrival;
    const char *refusal;
    bool is_recovered;
};

static void handle_there(void *context)
{
    struct handling *handling = context;
    struct panic_frame frame = {
        .arrival = handling->arrival, .refusal = handling->refusal, .is_recoverable = !handling->refusal};

    handling->is_recovered = handle(&frame);
}

/* `refusal`: why the call cannot be left; NULL if that is to be seen. true: it was. */
static bool handle_with_room(const struct arrival *arrival, const char *refusal)
{
    struct handling handling = {arrival, refusal, false};

    cramped_call(handle_there, &handling);
    return handling.is_recovered;
}

/* The kernel delivers it when the handler returns: in the frame that it came from, with the default action. No
 * instruction of the program runs before that, so the frame may say what it would without stubs. */
static void redeliver(int signal, siginfo_t *info, ucontext_t *context)
{
    struct relocated relocated;
    int pid = cpu_own_pid();
    int tid = cpu_own_tid();

    own_mask_block_all(NULL);
    signals_set_default(signal);
    *(uint64_t *)&context->uc_sigmask &= ~SIGNAL_BIT(signal);
    if (cpu_syscall(SYS_rt_tgsigqueueinfo, pid, tid, signal, (long)info, 0, 0) == 0)
        relocated_hide(context, &relocated);
    else if (info->si_code <= 0)
        cpu_syscall(SYS_tgkill, pid, tid, signal, 0, 0, 0);
}

void panic_take(const struct arrival *arrival)
{
    if (position_of(arrival->signal) >= 0 && !arrival->is_from_outside && !signals_thread.is_ending &&
        !signals_is_sent_on(arrival->signal, arrival->info, arrival->context) && handle_with_room(arrival, NULL))
        return;
    redeliver(arrival->signal, arrival->info, arrival->context);
}

void panic_take_blocked(const struct arrival *arrival)
{
    if (position_of(arrival->signal) >= 0 && !signals_thread.is_ending)
        handle_with_room(arrival, "the program has the signal blocked");
    redeliver(arrival->signal, arrival->info, arrival->context);
}

void panic_end(const struct arrival *arrival)
{
    if (position_of(arrival->signal) < 0 || arrival->is_from_outside || signals_thread.is_ending)
        return;
    signals_thread.is_ending = true;
    handle_with_room(arrival, "the program ends by itself");
}

/* Faults in the handling ------------------------------------------------------------------------------------------- */

/* The first time what was begun is left; then the program dies of what it had come with. */
static void give_up(struct panic_frame *frame, ucontext_t *context)
{
    if (frame->faults++ == 0)
        __builtin_longjmp(frame->escape, 1);
    redeliver(frame->arrival->signal, frame->arrival->info, context);
}

bool panic_is_under_way(void)
{
    return signals_thread.frame != NULL;
}

void panic_time_is_up(const struct arrival *arrival)
{
    struct panic_frame *frame = signals_thread.frame;

    if (!frame)
        return; /* it was over in the same moment */
    if (frame->timer >= 0 && !frame->is_late) {
        frame->is_late = true;
        panic_wait_timer_again(frame->timer);
        return;
    }
    give_up(frame, arrival->context);
}

void panic_take_within(const struct arrival *arrival)
{
    if (arrival->is_from_outside)
        redeliver(arrival->signal, arrival->info, arrival->context);
    else
        give_up(signals_thread.frame, arrival->context);
}

/* Start ------------------------------------------------------------------------------------------------------------ */

void panic_enter_thread(void)
{
    uint64_t faults = FAULTS;

    signals_thread.is_own = true;
    if (!segment)
        return;
    atomic_store(&server_pid, cpu_own_pid());
    own_mask_change(SIG_UNBLOCK, &faults, NULL);
}

void panic_init(const struct panic_config *given)
{
    /* A state file may be truncated while it is mapped: that is answered, whatever else is to be caught. */
    bool needs_bus = given->segment->layout != 0;

    if (given->segment->signal_count == 0 && !needs_bus)
        return;
    config = *given;
    segment = given->segment;
    crash_stack = altstack_map(CRASH_STACK_BYTES + NESTED_STACK_BYTES);
    if (crash_stack)
        crash_stack -= NESTED_STACK_BYTES;
    altstack_init(getauxval(AT_MINSIGSTKSZ));
    cramped_init(getauxval(AT_MINSIGSTKSZ));
    abort_init();
    recover_init(&config.recover);
    for (uint32_t i = 0; i < segment->signal_count && i < SEGMENT_SIGNALS_MAX; i++)
        signals_claim((int)segment->signals[i]);
    if (needs_bus && position_of(SIGBUS) < 0)
        signals_claim(SIGBUS);
}
