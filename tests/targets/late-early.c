/* A library whose constructor loads another one, before main and before callmeter's constructor. */
#include <dlfcn.h>

__attribute__((visibility("default"))) void *early_handle;

__attribute__((constructor)) static void start(void)
{
    early_handle = dlopen("liblate.so", RTLD_NOW);
}
