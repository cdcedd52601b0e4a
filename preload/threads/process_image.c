#include "preload/threads/process_image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"

#define PAGE_BYTES      4096
#define PRIVATE_BYTES   4096 /* behind the thread pointer: of glibc's struct pthread, in which the head lies */
#define SPACE_UNKNOWN   0
#define SPACE_NAMELESS  1 /* the one in which the first process is, without /proc to say which */
#define GLIBC_FUTEX_OFF (-32)

/* What a futex says besides a thread's id. */
#define WORD_FREE      UINT32_C(0)
#define WORD_BEGINNING ((uint32_t)FUTEX_TID_MASK - 1)
#define WORD_UNWATCHED ((uint32_t)FUTEX_TID_MASK) /* in nobody's list */
#define WORD_DIED      ((uint32_t)FUTEX_OWNER_DIED)
#define WORD_OVER      ((uint32_t)FUTEX_WAITERS)

/* A mark: image, process, thread. Ids of both are below PID_MAX_LIMIT, 4 million. */
#define MARK_ID_BITS 22
#define MARK_ID_MASK ((UINT64_C(1) << MARK_ID_BITS) - 1)
#define MARK_IMAGES  (UINT32_C(1) << (64 - 2 * MARK_ID_BITS))

enum {
    LOOK_AT_FIRST = 64
};

/* The members of glibc's pthread_mutex_t that matter to it and to the kernel, where it has them: word, previous, next.
 */
struct image {
    _Atomic uint32_t word;
    int tid;
    int pid;
    int reserved;
    uint64_t space; /* PID namespace: its inode */
    void *previous; /* never read: where glibc notes the neighbour */
    void *next;
    uint64_t padding[3];
};

_Static_assert(sizeof(struct image) == 64, "image");
_Static_assert(offsetof(struct image, word) - offsetof(struct image, next) == (size_t)GLIBC_FUTEX_OFF, "image");
_Static_assert(offsetof(struct image, next) - offsetof(struct image, previous) == sizeof(void *), "image");

static struct image *images; /* shared by all processes; the first is no image, but tells of the others */
static uint32_t image_capacity;
static _Atomic uint32_t images_opened; /* as blocks.c does it, to this process */
static ptrdiff_t head_offset;          /* from the thread pointer to glibc's head; 0: not known */
static uint32_t own;                   /* index; 0: none */
static int own_pid;
static uint64_t own_space;

static int system_id(long number)
{
    return (int)cpu_syscall(number, 0, 0, 0, 0, 0, 0);
}

/* The first one's words. */
static _Atomic uint32_t *used_count(void)
{
    return &images[0].word; /* those that were ever in use */
}

static int *look_at(void)
{
    return &images[0].tid; /* atomic: when one from here on is taken, those that are over are to be looked for */
}

/* The table -------------------------------------------------------------------------------------------------------- */

static uint32_t images_used(void)
{
    return images ? atomic_load(used_count()) : 0;
}

/* Opens the images up to `last`; as with the blocks, what is locked into memory is what is in use. */
static bool images_open(uint32_t last)
{
    uint64_t bytes = ((last + 1) * sizeof(*images) + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    uint32_t seen = atomic_load(&images_opened);

    if (last < seen)
        return true;
    if (cpu_syscall(SYS_mprotect, (long)images, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0) != 0)
        return false;
    while (seen <= last && !atomic_compare_exchange_weak(&images_opened, &seen, (uint32_t)(bytes / sizeof(*images))))
        ;
    return true;
}

/* A free one; 0: there is none. */
static uint32_t image_take(void)
{
    uint32_t used = images_used();

    if (!images || !images_open(used))
        return 0;
    for (uint32_t i = 1; i < image_capacity; i++) {
        uint32_t word = WORD_FREE;

        if (!images_open(i))
            return 0;
        if (atomic_load(&images[i].word) != WORD_FREE ||
            !atomic_compare_exchange_strong(&images[i].word, &word, WORD_BEGINNING))
            continue;
        while (used < i && !atomic_compare_exchange_weak(used_count(), &used, i))
            ;
        return i;
    }
    return 0;
}

/* The kernel's list ------------------------------------------------------------------------------------------------ */

static struct robust_list_head *list_head(uintptr_t thread_pointer)
{
    return (struct robust_list_head *)(thread_pointer + (uintptr_t)head_offset);
}

/* Where glibc keeps the head, which is the same in all threads. */
static void learn_list(void)
{
    uintptr_t thread_pointer = cpu_thread_pointer();
    struct robust_list_head *head = NULL;
    size_t length = 0;

    if (cpu_syscall(SYS_get_robust_list, 0, (long)&head, (long)&length, 0, 0, 0) != 0 || !head ||
        length != sizeof(*head) || (uintptr_t)head - thread_pointer >= PRIVATE_BYTES ||
        head->futex_offset != GLIBC_FUTEX_OFF)
        return;
    head_offset = (ptrdiff_t)((uintptr_t)head - thread_pointer);
}

/* Glibc's ENQUEUE_MUTEX, on an empty list. A list with something in it may be that of another process: a child of the
 * bare system call has its parent's. */
static bool list_add(struct image *image)
{
    struct robust_list_head *head = list_head(cpu_thread_pointer());

    if (head_offset == 0 || head->list.next != &head->list || head->list_op_pending)
        return false;
    image->previous = &head->list;
    image->next = &head->list;
    ((void **)head)[-1] = &image->next;
    atomic_signal_fence(memory_order_seq_cst);
    head->list.next = (struct robust_list *)&image->next;
    return true;
}

/* The own image ---------------------------------------------------------------------------------------------------- */

static uint64_t space_of_self(void)
{
    struct stat status;

    if (cpu_syscall(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/ns/pid", (long)&status, 0, 0, 0) != 0)
        return SPACE_UNKNOWN;
    return (uint64_t)status.st_ino;
}

/* A child sees its parent's id as the parent did, or it is in another namespace, where its parent is not to be seen.
 * One that has lost its parent must look. */
static void space_update(void)
{
    if (own_pid == 0) {
        own_space = space_of_self();
        if (own_space == SPACE_UNKNOWN)
            own_space = SPACE_NAMELESS;
    } else if (system_id(SYS_getppid) != own_pid) {
        own_space = space_of_self();
    }
}

/* The word comes before the list: there the kernel looks for the thread's id in it. */
static void image_make(void)
{
    uint32_t index = image_take();
    struct image *image = &images[index];

    own = index;
    if (index == 0)
        return;
    image->pid = own_pid;
    image->tid = system_id(SYS_gettid);
    image->space = own_space;
    atomic_store(&image->word, (uint32_t)image->tid);
    if (!list_add(image))
        atomic_store(&image->word, WORD_UNWATCHED);
}

int image_begin(void)
{
    space_update();
    own_pid = system_id(SYS_getpid);
    image_make();
    return own_pid;
}

bool images_are_many(void)
{
    return images && own >= (uint32_t)__atomic_load_n(look_at(), __ATOMIC_RELAXED);
}

uint64_t image_owner(void)
{
    return (uint64_t)(uint32_t)own_pid << 32 | own;
}

bool image_hold(void)
{
    struct image *image = &images[own];
    uint32_t word;

    if (own == 0)
        return true;
    word = atomic_load(&image->word);
    if (word != WORD_FREE && word != WORD_OVER && image->pid == own_pid)
        return true;
    image_make();
    return false;
}

/* All of them ------------------------------------------------------------------------------------------------------ */

int images_init(uint32_t capacity)
{
    uint64_t bytes = (capacity * sizeof(*images) + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    learn_list();
    if (capacity > MARK_IMAGES)
        capacity = MARK_IMAGES;
    if (address < 0 && address > -4096)
        return (int)address;
    images = (struct image *)address;
    image_capacity = capacity;
    if (images_open(0)) {
        *look_at() = LOOK_AT_FIRST;
        return 0;
    }
    images = NULL;
    return -ENOMEM;
}

/* Accessible; 0: there is none. */
static uint32_t image_of(uint64_t owner)
{
    uint32_t index = (uint32_t)owner;

    return index <= images_used() && images_open(index) ? index : 0;
}

static int pid_of(uint64_t owner)
{
    return (int)(owner >> 32);
}

static bool is_near(const struct image *image)
{
    return image->space != SPACE_UNKNOWN && image->space == own_space;
}

bool image_is_near(uint64_t owner)
{
    uint32_t index = image_of(owner);

    return index == 0 || is_near(&images[index]);
}

int image_thread(uint64_t owner)
{
    uint32_t index = image_of(owner);

    return index == 0 ? 0 : images[index].tid;
}

static bool is_process_gone(int pid)
{
    return cpu_syscall(SYS_kill, pid, 0, 0, 0, 0, 0) == -ESRCH;
}

static bool has_ended(const struct image_blocks *blocks, uint32_t index, uint32_t word, image_has_threads has_threads)
{
    const struct image *image = &images[index];

    if (index == own || word == WORD_BEGINNING)
        return false;
    if (is_near(image) && is_process_gone(image->pid))
        return true;
    return word == WORD_DIED && !has_threads(blocks, (uint64_t)(uint32_t)image->pid << 32 | index);
}

uint32_t images_look(const struct image_blocks *blocks, image_has_threads has_threads)
{
    uint32_t used = images_used();
    uint32_t live = 0;

    if (!images || !images_open(used))
        return 1;
    for (uint32_t i = 1; i <= used; i++) {
        uint32_t word = atomic_load(&images[i].word);

        if (word == WORD_FREE || word == WORD_OVER)
            continue;
        if (!has_ended(blocks, i, word, has_threads))
            live++;
        else
            atomic_compare_exchange_strong(&images[i].word, &word, WORD_OVER);
    }
    __atomic_store_n(look_at(), live * 2 > LOOK_AT_FIRST ? (int)live * 2 : LOOK_AT_FIRST, __ATOMIC_RELAXED);
    return live ? live : 1;
}

bool image_is_over(uint64_t owner)
{
    uint32_t index = image_of(owner);
    uint32_t word;

    if (index == 0)
        return pid_of(owner) != own_pid && is_process_gone(pid_of(owner));
    word = atomic_load(&images[index].word);
    return word == WORD_FREE || word == WORD_OVER || (word != WORD_BEGINNING && images[index].pid != pid_of(owner));
}

/* Of a child that is no image of its own yet, as others see its thread: vfork's, or one that came by a bare system
 * call. Its parent's image has to stand for it. 0: nobody can ask for it by that id. */
static int thread_to_mark(void)
{
    int pid = cpu_own_pid();
    int tid = cpu_own_tid();

    if (pid == own_pid)
        return tid;
    return tid == pid && system_id(SYS_getppid) == own_pid ? tid : 0;
}

uint64_t image_mark(void)
{
    return (uint64_t)own << 2 * MARK_ID_BITS | (uint64_t)(unsigned)own_pid << MARK_ID_BITS | (unsigned)thread_to_mark();
}

/* Neither a thread of that process, nor the first one of its own. */
static bool is_thread_gone(int pid, int tid)
{
    return cpu_syscall(SYS_tgkill, pid, tid, 0, 0, 0, 0) == -ESRCH &&
           (pid == tid || cpu_syscall(SYS_tgkill, tid, tid, 0, 0, 0, 0) == -ESRCH);
}

bool image_mark_is_over(uint64_t mark)
{
    uint32_t index = (uint32_t)(mark >> 2 * MARK_ID_BITS);
    int pid = (int)(mark >> MARK_ID_BITS & MARK_ID_MASK);
    int tid = (int)(mark & MARK_ID_MASK);
    const struct image *image = &images[index];
    uint32_t word;

    if (index == 0 || image_of(index) == 0)
        return false;
    word = atomic_load(&image->word);
    if (word == WORD_FREE || word == WORD_BEGINNING || image->pid != pid)
        return true;
    if ((word == WORD_DIED || word == WORD_OVER) && image->tid == tid)
        return true;
    if (is_near(image) && tid != 0)
        return is_thread_gone(pid, tid);
    return word == WORD_OVER;
}

void images_forget(void)
{
    uint32_t used = images_used();

    for (uint32_t i = 1; i <= used && images_open(i); i++) {
        uint32_t word = WORD_OVER;

        atomic_compare_exchange_strong(&images[i].word, &word, WORD_FREE);
    }
}
