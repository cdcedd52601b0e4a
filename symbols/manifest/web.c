#include "symbols/manifest/web.h"

#include <errno.h>
#include <stdlib.h>

#include "symbols/manifest/manifest.h"
#include "symbols/manifest/reader.h"

static const struct manifest_key web_keys[] = {
    {"hosts", true},
    {"config_file", false},
    {"tls_server_config", false},
    {"http_server_config", false},
    {"basic_auth_users", false},
    {NULL, false},
};

void manifest_web_finish(struct manifest_web *web)
{
    for (char **host = web->hosts; host && *host; host++)
        free(*host);
    free(web->hosts);
    *web = (struct manifest_web){0};
}

static int read_hosts(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                      struct manifest_web *web)
{
    const size_t count = json_array_size(value);
    int result = 0;

    if (!json_is_array(value))
        return manifest_reader_fail_type(reader, path, value, "an array of names of hosts");
    web->hosts = calloc(count + 1, sizeof *web->hosts);
    if (!web->hosts)
        return manifest_reader_fail_memory(reader);
    for (size_t i = 0; result == 0 && i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};

        result = manifest_reader_copy(reader, &step, json_array_get(value, i), &web->hosts[i]);
    }
    return result;
}

int manifest_web_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                      struct manifest_web *web)
{
    const struct json_path hosts = {.parent = path, .key = "hosts"};
    const int result = manifest_reader_check_keys(reader, path, value, web_keys);
    const json_t *member;

    if (result)
        return result;
    manifest_web_finish(web);
    member = json_object_get(value, hosts.key);
    return member ? read_hosts(reader, &hosts, member, web) : 0;
}
