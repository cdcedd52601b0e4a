/* Functions of libc that save, take, set or hand on the thread's mask by themselves: what is hidden is settled before
 * each. For C and assembly. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_MASKS_NAMES_H
#define CALLMETER_PRELOAD_INTERPOSE_MASKS_NAMES_H

/* each(name, the same without what assembly or C may take for something else) */
#define MASKS_SETTLED(each)                                                                                            \
    each(__sigsetjmp, sigsetjmp) each(setjmp, bsd_setjmp) each(getcontext, getcontext) each(setcontext, setcontext)    \
        each(swapcontext, swapcontext) each(vfork, vfork) each(sigsuspend, sigsuspend) each(sigpause, bsd_sigpause)    \
            each(__sigpause, any_sigpause) each(__xpg_sigpause, xpg_sigpause) each(pselect, pselect)                   \
                each(ppoll, ppoll) each(__ppoll_chk, ppoll_chk) each(epoll_pwait, epoll_pwait)                         \
                    each(sigblock, sigblock) each(sigsetmask, sigsetmask) each(siggetmask, siggetmask)                 \
                        each(sighold, sighold) each(sigrelse, sigrelse)

#endif
