/* The environment that programs exec'ed by this one will see. */
#ifndef CALLMETER_PRELOAD_CALLMETER_ENVIRONMENT_H
#define CALLMETER_PRELOAD_CALLMETER_ENVIRONMENT_H

/* Takes `object` out of LD_PRELOAD, and callmeter's own variables away, in place: what a program finds in `environ` or
 * in main's third argument, without libc's functions, which programs replace (bash). Context: startup. */
void environment_clean(const char *object);

#endif
