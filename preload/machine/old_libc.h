/* So that the preload object loads wherever it is found: under musl, and under a glibc from 2.17 on. It comes before
 * all else in each of the object's files.
 *
 * What an object imports has to be there or it ends the program, whoever calls it. A symbol of libdl has another
 * version since libdl is part of libc (2.34), though it is the same function: the old one is asked for. What musl does
 * not have is a weak import, and called only where foreign_reason says nothing. */
#ifndef CALLMETER_PRELOAD_MACHINE_OLD_LIBC_H
#define CALLMETER_PRELOAD_MACHINE_OLD_LIBC_H

#ifndef __ASSEMBLER__

#define OLD_LIBC(name, version) __asm__(".symver " #name ", " #name "@GLIBC_" #version);

OLD_LIBC(dladdr, 2.2.5)
OLD_LIBC(dladdr1, 2.3.3)
OLD_LIBC(dlclose, 2.2.5)
OLD_LIBC(dlerror, 2.2.5)
OLD_LIBC(dlinfo, 2.3.3)
OLD_LIBC(dlsym, 2.2.5)
OLD_LIBC(dlvsym, 2.2.5)

#pragma weak dladdr
#pragma weak dladdr1
#pragma weak dlclose
#pragma weak dlerror
#pragma weak dlinfo
#pragma weak dlvsym
#pragma weak gnu_get_libc_version

#endif

#endif
