/* Loading callmeter's modules so that nothing leaks between them and the program. */
#ifndef CALLMETER_PRELOAD_HOST_MODULE_H
#define CALLMETER_PRELOAD_HOST_MODULE_H

#include <stddef.h>

/* Loads `path` out of the program's sight (RTLD_LOCAL), then checks the other direction: that every function which the
 * module and its libraries import comes from a library that they name, and not from a namesake in the program
 * (json_object_get is also json-c's). Where one was captured, loads again with RTLD_DEEPBIND. A program that has an
 * allocator of its own must serve both sides with it: there the slots that were captured are written anew, one by one.
 * *ret_handle is dlopen's. -ENOENT: it cannot be loaded; -EEXIST: captured, and there is no way around; `text` says
 * what. Context: startup. */
int module_open(const char *path, void **ret_handle, char *text, size_t text_bytes);

#endif
