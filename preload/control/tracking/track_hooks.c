/* The hooks of tracked functions. */
#include "preload/control/tracking/track_build.h"

#include <errno.h>

static struct hook *make_hook(struct track *track, size_t index, struct extra *extra, enum extra_role role)
{
    static const uint32_t flags[EXTRA_ROLES] = {0, HOOK_FLAG_WEIGHED | HOOK_FLAG_JUDGE, HOOK_FLAG_UNTIMED};
    struct track_build *build = track->build;
    const struct layout *layout = &build->layouts[index];
    struct hook_config config = {
        .function = track_function(track, &track->resolution->targets[index]),
        .clock = track->clock,
        .cell = extras_cell(layout, build->cells[index]),
        .home = extras_home(layout, build->cells[index]),
        .index = build->rows[index],
        .flags = flags[role],
        .extra = extra,
    };

    if (extra && extras_has_end(extra))
        config.flags |= HOOK_FLAG_JUDGE;
    if (extra && extras_has_vectors(extra))
        config.flags |= HOOK_FLAG_VECTORS;
    if (extra && extra->label_count)
        config.flags |= HOOK_FLAG_LABELS;

    return hook_create(&build->hooks, &config);
}

int track_hooks_make(struct track *track, size_t index, struct track_hooks *hooks)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[index];
    const struct manifest_function *function = track_function(track, target);
    const struct layout *layout = &build->layouts[index];
    enum extra_role last = !layout->is_sampled ? EXTRA_TIMED : layout->skipped ? EXTRA_WEIGHED : EXTRA_UNTIMED;

    *hooks = (struct track_hooks){0};
    if (layout_has_extra(layout, target->value_count)) {
        if (!build->has_tables[index])
            extras_write_tables(track->segment, function, layout, target->values, &build->tables[index]);
        build->has_tables[index] = true;
        hooks->extra = extras_create(&build->hooks, track->segment, track->manifest, target, layout,
                                     &build->tables[index], build->cells[index]);
        extras_prepare(hooks->extra, track->shim->calls->read_prepare);
    }
    for (enum extra_role role = EXTRA_TIMED; role <= last; role++) {
        hooks->roles[role] = make_hook(track, index, hooks->extra, role);
        if (hooks->extra)
            hooks->extra->roles[role].base = hooks->roles[role];
        if (layout->entry_labels && extras_map_variants(hooks->extra, role, layout, hook_variant_bytes(function)) != 0)
            return -ENOMEM;
    }
    return 0;
}

static bool is_by_extra(const struct track_hooks *hooks)
{
    return hooks->extra && extras_has_entry(hooks->extra);
}

void track_hooks_configure(const struct track *track, const struct track_hooks *hooks, struct stub_config *ret_config)
{
    const struct shim_code *code = track->build->code;

    *ret_config = (struct stub_config){
        .entry = is_by_extra(hooks) ? code->late_entry : code->entry,
        .sample = is_by_extra(hooks) ? code->late_sample : code->sample,
        .entry_untimed = track->shim->trampolines->entry_untimed,
        .count_slow = track->shim->trampolines->count_slow,
        .thread_offset = track->shim->thread_offset,
    };
}

void track_hooks_place(const struct track *track, const struct track_hooks *hooks, const struct stub *stub)
{
    if (hooks->extra)
        hooks->extra->original = stub->original;
    for (unsigned role = 0; role < EXTRA_ROLES; role++) {
        if (!hooks->roles[role])
            continue;
        hooks->roles[role]->original = stub->original;
        if (is_by_extra(hooks))
            hooks->roles[role]->original =
                (void *)(uintptr_t)(role == EXTRA_UNTIMED ? track->shim->trampolines->extra_untimed
                                                          : track->build->code->extra);
        hooks->roles[role]->bypass = stub->bypass;
        if (hooks->extra)
            extras_place(hooks->extra, role, hooks->roles[role]->original, stub->bypass);
    }
}
