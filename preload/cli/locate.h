/* Where the files that belong to this program are: beside it, in the installed tree or in the build folder. */
#ifndef CALLMETER_PRELOAD_CLI_LOCATE_H
#define CALLMETER_PRELOAD_CLI_LOCATE_H

/* The preload object, the folder of the shipped manifests, or the manifest's JSON Schema: an absolute path, which the
 * caller frees. NULL: it is not there, or out of memory. An installed tree that was moved as a whole is found, since
 * all paths are relative to /proc/self/exe. */
char *locate_preload_object(void);
char *locate_presets(void);
char *locate_schema(void);

#endif
