#include "preload/control/reports/signal_names.h"

#include <stddef.h>

struct name {
    int signal; /* 0: of any */
    int code;
    const char *text;
};

#define SIGNAL(number)                                                                                                 \
    {                                                                                                                  \
        number, 0, #number                                                                                             \
    }
#define CODE(number, code)                                                                                             \
    {                                                                                                                  \
        number, code, #code                                                                                            \
    }
#define ARRAY_COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct name signals[] = {
    SIGNAL(SIGHUP),  SIGNAL(SIGINT),  SIGNAL(SIGQUIT),   SIGNAL(SIGILL),  SIGNAL(SIGTRAP), SIGNAL(SIGABRT),
    SIGNAL(SIGBUS),  SIGNAL(SIGFPE),  SIGNAL(SIGUSR1),   SIGNAL(SIGSEGV), SIGNAL(SIGUSR2), SIGNAL(SIGPIPE),
    SIGNAL(SIGALRM), SIGNAL(SIGTERM), SIGNAL(SIGSTKFLT), SIGNAL(SIGXCPU), SIGNAL(SIGXFSZ), SIGNAL(SIGVTALRM),
    SIGNAL(SIGPROF), SIGNAL(SIGIO),   SIGNAL(SIGPWR),    SIGNAL(SIGSYS),
};

static const struct name codes[] = {
    CODE(0, SI_USER),
    CODE(0, SI_QUEUE),
    CODE(0, SI_TIMER),
    CODE(0, SI_MESGQ),
    CODE(0, SI_ASYNCIO),
    CODE(0, SI_SIGIO),
    CODE(0, SI_TKILL),
    CODE(0, SI_KERNEL),
    CODE(SIGSEGV, SEGV_MAPERR),
    CODE(SIGSEGV, SEGV_ACCERR),
    CODE(SIGSEGV, SEGV_BNDERR),
    CODE(SIGSEGV, SEGV_PKUERR),
    CODE(SIGBUS, BUS_ADRALN),
    CODE(SIGBUS, BUS_ADRERR),
    CODE(SIGBUS, BUS_OBJERR),
    CODE(SIGBUS, BUS_MCEERR_AR),
    CODE(SIGBUS, BUS_MCEERR_AO),
    CODE(SIGFPE, FPE_INTDIV),
    CODE(SIGFPE, FPE_INTOVF),
    CODE(SIGFPE, FPE_FLTDIV),
    CODE(SIGFPE, FPE_FLTOVF),
    CODE(SIGFPE, FPE_FLTUND),
    CODE(SIGFPE, FPE_FLTRES),
    CODE(SIGFPE, FPE_FLTINV),
    CODE(SIGFPE, FPE_FLTSUB),
    CODE(SIGILL, ILL_ILLOPC),
    CODE(SIGILL, ILL_ILLOPN),
    CODE(SIGILL, ILL_ILLADR),
    CODE(SIGILL, ILL_ILLTRP),
    CODE(SIGILL, ILL_PRVOPC),
    CODE(SIGILL, ILL_PRVREG),
    CODE(SIGILL, ILL_COPROC),
    CODE(SIGILL, ILL_BADSTK),
    CODE(SIGTRAP, TRAP_BRKPT),
    CODE(SIGTRAP, TRAP_TRACE),
    CODE(SIGTRAP, TRAP_BRANCH),
    CODE(SIGTRAP, TRAP_HWBKPT),
};

const char *signal_name(int signal)
{
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        if (signals[i].signal == signal)
            return signals[i].text;
    return NULL;
}

const char *signal_code_name(int signal, int code)
{
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
        if (codes[i].code == code && (codes[i].signal == 0 || codes[i].signal == signal))
            return codes[i].text;
    return NULL;
}

bool signal_has_address(const siginfo_t *info)
{
    bool is_fault = info->si_signo == SIGSEGV || info->si_signo == SIGBUS || info->si_signo == SIGFPE ||
                    info->si_signo == SIGILL || info->si_signo == SIGTRAP;

    return is_fault && info->si_code > 0 && info->si_code != SI_KERNEL;
}
