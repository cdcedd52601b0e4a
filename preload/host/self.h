/* Is the preload object what it was linked to be? And the environment, read without libc's functions, which programs
 * replace (bash). */
#ifndef CALLMETER_PRELOAD_HOST_SELF_H
#define CALLMETER_PRELOAD_HOST_SELF_H

/* The name of a function of libc that this object calls, but which the program defines for itself and thereby captures;
 * or NULL. The allocator is not looked at: a program's own serves all. Nothing else of libc may be called before this
 * said NULL. Context: startup. */
const char *self_captured_name(void);

/* The value of a variable, or NULL; points into the environment. Context: startup. */
const char *self_environment(const char *name);

/* One line on stderr, for those who cannot trust libc: `text` and `detail`, of level warn. Context: startup. */
void self_warn(const char *text, const char *detail);

#endif
