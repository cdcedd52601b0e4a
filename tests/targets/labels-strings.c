/* Strings for a label to read: from every kind of memory, of every length, broken in every way. */
#include "samples.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    ROUNDS = 3,
    VALUE_BYTES = 64,
    PAGE = 4096
};

/* Looks at nothing but the pointer: whoever reads the string, it is not this program. The compiler must not know. */
TRACKED const char *by_name(const char *name)
{
    __asm__ volatile("" : : "r"(name) : "memory");
    return name;
}

static void give(const char *name)
{
    for (int i = 0; i < ROUNDS; i++) {
        errno = 77;
        CHECK(by_name(name) == name);
        CHECK(errno == 77);
    }
}

/* As the exposition escapes it. */
static void print_escaped(const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '\n')
            fputs("\\n", stdout);
        else if (value[i] == '"' || value[i] == '\\')
            printf("\\%c", value[i]);
        else
            putchar(value[i]);
    }
}

static void say_cut(const char *value, size_t length, unsigned calls)
{
    fputs("sample calls_total{function=\"by_name\",outcome=\"success\",name=\"", stdout);
    print_escaped(value, length);
    printf("\"} %u\n", calls);
}

static void say(const char *value, unsigned calls)
{
    say_cut(value, strlen(value), calls);
}

static void say_all(unsigned values)
{
    printf("series calls_active{function=\"by_name\"} %u\n", values);
}

static void give_and_say(const char *name)
{
    give(name);
    say(name, ROUNDS);
}

static char *map_pages(size_t pages)
{
    void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void *give_from_stack(void *unused)
{
    char name[] = "a thread's stack";

    TOUCH();
    give_and_say(name);
    return unused;
}

/* The last bytes of a page which nothing follows: the string and its NUL just fit. */
static char *at_end_of_page(const char *text, size_t length)
{
    char *pages = map_pages(2);

    munmap(pages + PAGE, PAGE);
    memcpy(pages + PAGE - length, text, length);
    return pages + PAGE - length;
}

static void places(void)
{
    static char data[] = "data";
    char stack[] = "stack", *heap = strdup("heap"), *pages = map_pages(2);
    pthread_t thread;

    TOUCH();
    give_and_say("rodata");
    give_and_say(data);
    give_and_say(stack);
    give_and_say(heap);
    free(heap);
    strcpy(pages + PAGE - 3, "mmap");
    give(pages + PAGE - 3);
    mprotect(pages, 2 * PAGE, PROT_READ);
    give(pages + PAGE - 3);
    say("mmap", 2 * ROUNDS);
    give_and_say(at_end_of_page("fits", 5));
    give_and_say(at_end_of_page("so does this", 13));
    give_and_say(at_end_of_page("", 1)); /* an empty label is an absent one */
    pthread_create(&thread, NULL, give_from_stack, NULL);
    pthread_join(thread, NULL);
    say_all(9);
}

/* `head` bytes of ASCII, then `text`. */
static const char *after(size_t head, const char *text)
{
    static char buffers[16][512];
    static unsigned next;
    char *buffer = buffers[next++];

    memset(buffer, (int)('a' + next), head);
    strcpy(buffer + head, text);
    return buffer;
}

static void give_cut(const char *name, size_t kept)
{
    give(name);
    say_cut(name, kept, ROUNDS);
}

/* Values are cut where a character begins. */
static void lengths(void)
{
    give_cut(after(63, ""), 63);
    give_cut(after(64, ""), 64);
    give_cut(after(65, ""), 64);
    give_cut(after(200, ""), 64);
    give_cut(after(62, "ä"), 64);
    give_cut(after(63, "ä"), 63);
    give_cut(after(61, "€"), 64);
    give_cut(after(62, "€"), 62);
    give_cut(after(63, "€uro"), 63);
    give_cut(after(60, "😀"), 64);
    give_cut(after(61, "😀"), 61);
    give_cut(after(63, "😀 and more"), 63);
    say_all(12);
}

/* What begins alike and differs behind the cut is one value. */
static void alike(void)
{
    char name[VALUE_BYTES + 2];

    memset(name, 'x', VALUE_BYTES);
    for (char last = 'a'; last <= 'z'; last++) {
        name[VALUE_BYTES] = last;
        name[VALUE_BYTES + 1] = '\0';
        give(name);
    }
    say_cut(name, VALUE_BYTES, 26 * ROUNDS);
    say_all(1);
}

/* Each byte that is no UTF-8 is shown as U+FFFD; values that then look alike are one. */
static void broken(void)
{
    give("\xff");
    give("\xfe");
    say("\uFFFD", 2 * ROUNDS);
    give("a\xc0\x80z");
    say("a\uFFFD\uFFFDz", ROUNDS);
    give("\xed\xa0\x80"); /* half of a surrogate pair */
    say("\uFFFD\uFFFD\uFFFD", ROUNDS);
    give("\xf5\x80\x80\x80"); /* above U+10FFFF */
    say("\uFFFD\uFFFD\uFFFD\uFFFD", ROUNDS);
    give("latin1: gr\xfc\xdf"
         "e");
    say("latin1: gr\uFFFD\uFFFDe", ROUNDS);
    say_all(5);
}

/* Many bad bytes grow to three times their length, and are cut again. */
static void broken_long(void)
{
    char name[200];

    memset(name, 0xff, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    give(name);
    say("\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
        "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD",
        ROUNDS);
    say_all(1);
}

static void escapes(void)
{
    give_and_say("say \"hello\"");
    give_and_say("two\nlines");
    give_and_say("C:\\new\\table");
    give_and_say("\\");
    give_and_say("\"");
    give_and_say("\n");
    give_and_say("tab\tand\rreturn");
    give_and_say("bell\a");
    give_and_say("} 5");
    give_and_say("a=\"b\",c=\"d\"");
    give_and_say(" ");
    give_and_say("_other");
    say_all(12);
}

static void *const bad_pointers[] = {
    NULL,
    (void *)1,
    (void *)0x1234,
    (void *)0x7fffffffffff,
    (void *)0x8000000000000000,
    (void *)0xdeadbeefdeadbeef,
    (void *)UINTPTR_MAX,
};

/* A page of a file that was cut short: it is mapped, and reading it is a bus error. */
static char *map_without_file(void)
{
    int file = memfd_create("short", MFD_CLOEXEC);
    char *page;

    if (file < 0 || ftruncate(file, PAGE))
        abort();
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED || ftruncate(file, 0))
        abort();
    close(file);
    return page;
}

/* All of them are bad, and there are as many rounds as the number returned. */
static unsigned give_bad(void)
{
    const unsigned pointers = sizeof(bad_pointers) / sizeof(*bad_pointers);
    char *unmapped = map_pages(1), *forbidden = map_pages(1);

    munmap(unmapped, PAGE);
    mprotect(forbidden, PAGE, PROT_NONE);
    for (unsigned i = 0; i < pointers; i++)
        give(bad_pointers[i]);
    give(unmapped);
    give(unmapped + 17);
    give(forbidden);
    give(forbidden + PAGE - 1);
    give(map_without_file() + 8);
    give(at_end_of_page("has no end", 10));
    return (pointers + 6) * ROUNDS;
}

static void bad(void)
{
    unsigned calls = give_bad();

    say("invalid", calls);
    give_and_say("good");
    /* What is cut anyway needs no end. */
    give_cut(at_end_of_page(after(100, ""), 100), 64);
    say_all(3);
}

/* Pages that the program forbids where others may be read at any time: in its data and in its heap. */
static void guarded(void)
{
    static char data[3 * PAGE] __attribute__((aligned(PAGE)));
    char *heap = aligned_alloc(PAGE, (size_t)3 * PAGE);
    char *const guards[] = {data + PAGE, heap + PAGE};

    if (!heap)
        abort();
    for (unsigned i = 0; i < 2; i++) {
        memset(guards[i] - 20, 'x', 20);
        if (mprotect(guards[i], PAGE, PROT_NONE))
            abort();
        give(guards[i]);
        give(guards[i] + 123);
        give(guards[i] - 20);
        give(guards[i] + PAGE);
        mprotect(guards[i], PAGE, PROT_READ | PROT_WRITE);
    }
    free(heap);
    say("invalid", 6 * ROUNDS);
}

/* The heap's last bytes, with no NUL in them, and nothing behind. */
static void heap_end(void)
{
    char *end;

    sbrk(3 * PAGE / 2);
    end = (char *)sbrk(0);
    end = (char *)(((uintptr_t)end + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    if (brk(end))
        abort();
    memset(end - 20, 'x', 20);
    give(end - 20);
    give(end - 1);
    say("invalid", 2 * ROUNDS);
    memcpy(end - 5, "last", 5);
    give_and_say(end - 5);
}

static volatile sig_atomic_t faults;

static void count_fault(int signal)
{
    (void)signal;
    faults++;
}

/* The program's own handlers hear nothing of bad strings. */
static void handled(void)
{
    struct sigaction action = {.sa_handler = count_fault}, now;
    unsigned calls;

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    calls = give_bad();
    CHECK(faults == 0);
    CHECK(!sigaction(SIGSEGV, NULL, &now) && now.sa_handler == count_fault);
    raise(SIGSEGV);
    CHECK(faults == 1);
    say("invalid", calls);
    say_all(1);
}

static void *give_bad_blocked(void *ret_calls)
{
    sigset_t all, now;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    *(unsigned *)ret_calls = give_bad();
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGSEGV) && sigismember(&now, SIGBUS) && sigismember(&now, SIGUSR1));
    return NULL;
}

/* A fault while its signal is blocked would kill the program. */
static void blocked(void)
{
    pthread_t thread;
    unsigned calls = 0;

    signal(SIGSEGV, SIG_IGN);
    pthread_create(&thread, NULL, give_bad_blocked, &calls);
    pthread_join(thread, NULL);
    say("invalid", calls);
    say_all(1);
}

/* The smallest stack that a thread may have. */
static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned calls = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
    CHECK(!pthread_create(&thread, &attributes, give_bad_blocked, &calls));
    pthread_join(thread, NULL);
    say("invalid", calls);
    give_and_say("good");
    say_all(2);
}

static volatile int is_over;

/* Forbids and allows a page, again and again. */
static void *flicker(void *page)
{
    while (!is_over) {
        mprotect(page, PAGE, PROT_NONE);
        mprotect(page, PAGE, PROT_READ);
    }
    return NULL;
}

/* A page that comes and goes under the reader: a value or `invalid`, and never a crash. */
static void flickering(void)
{
    enum {
        CALLS = 300000
    };
    char *page = map_pages(1);
    pthread_t thread;

    pthread_create(&thread, NULL, flicker, page);
    for (int i = 0; i < CALLS; i++)
        CHECK(by_name(page + 100) == page + 100);
    is_over = 1;
    pthread_join(thread, NULL);
    printf("total calls_total{function=\"by_name\",outcome=\"success\"} %d\n", CALLS);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"places", places},
                                               {"lengths", lengths},
                                               {"alike", alike},
                                               {"broken", broken},
                                               {"escapes", escapes},
                                               {"broken_long", broken_long},
                                               {"bad", bad},
                                               {"guarded", guarded},
                                               {"handled", handled},
                                               {"blocked", blocked},
                                               {"small_stack", small_stack},
                                               {"flickering", flickering},
                                               {"heap_end", heap_end},
                                               {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
