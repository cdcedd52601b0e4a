#include "symbols/resolve/proof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbols/elf/makers.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"
#include "symbols/plan/reads.h"
#include "symbols/plan/spill.h"

const char *resolve_proof_text(enum resolve_proof proof)
{
    static const char *const texts[] = {
        [RESOLVE_PROOF_NONE] = "none",
        [RESOLVE_PROOF_DEBUGINFO] = "debug information",
        [RESOLVE_PROOF_EXPORTED] = "exported",
        [RESOLVE_PROOF_GCC] = "GCC alone",
        [RESOLVE_PROOF_TRUSTED] = "trust_signature",
    };

    return texts[proof];
}

/* What the names at the target's address say of it, and its own: an IFUNC's is at another place than its code. */
static void proof_ask_symbols(struct proof *proof)
{
    const struct resolve_target *target = proof->target;
    const struct object *object = target->code_object;
    const struct symbol *end = object->symbols + object->symbol_count;
    const struct symbol *symbol = object_symbol_at(object, target->address);
    size_t length;

    proof->is_foreign = makers_is_foreign(target->symbol->name);
    proof->is_clone = name_split_clone(target->symbol->name, &length) != NAME_CLONE_NONE;
    proof->is_exported = target->symbol->is_exported;
    proof->is_global = !target->symbol->is_local;
    for (; symbol && symbol < end && symbol->address == target->address; symbol++) {
        proof->is_foreign |= makers_is_foreign(symbol->name);
        proof->is_exported |= symbol->is_exported;
        proof->is_global |= !symbol->is_local;
        proof->is_clone |= name_split_clone(symbol->name, &length) != NAME_CLONE_NONE;
    }
    proof->is_clone &= !proof->is_exported;
}

int proof_init(struct proof *proof, const struct manifest_function *function, const struct resolve_target *target,
               struct debuginfo *debuginfo, const struct diag *why, bool is_all_gnu)
{
    int result = -ENOENT;

    *proof = (struct proof){.function = function, .target = target, .debuginfo = debuginfo};
    proof_ask_symbols(proof);
    if (debuginfo)
        result = debuginfo_function(debuginfo, target->address, &proof->described);
    else
        proof->why = *why;
    if (result == -ENOMEM)
        return result;
    proof->is_described = result == 0 && proof->described.has_prototype;
    if (result == 0) {
        proof->is_foreign |= !proof->described.is_c && !proof->is_exported;
        proof->is_llvm = !proof->described.is_gnu;
    } else {
        proof->is_llvm = target->code_object->makers != OBJECT_MAKERS_GCC || !is_all_gnu;
    }
    proof->is_gcc = target->code_object->makers == OBJECT_MAKERS_GCC && is_all_gnu && !proof->is_clone &&
                    (result != 0 || (proof->described.is_gnu && proof->described.is_c));
    if (proof->is_foreign || (result == 0 && proof->described.has_own_convention))
        proof->is_exported = proof->is_gcc = false;
    return 0;
}

/* Behind what is wrong: the function as debug information has it. */
static void proof_add_prototype(const struct proof *proof, struct diag *diag)
{
    char text[sizeof(diag->text)];

    if (!proof->is_described)
        return;
    memcpy(text, diag->text, sizeof(text));
    diag_set(diag, "%s: %s", text, proof->described.prototype);
}

static int proof_refuse(const struct proof *proof, struct diag *diag)
{
    const char *why = proof->is_foreign     ? "its language has a calling convention of its own"
                      : proof->is_clone     ? "it is a clone, whose signature the compiler has changed"
                      : proof->is_described ? "its compiler may have changed what callers rely on"
                      : proof->target->code_object->makers == OBJECT_MAKERS_OTHERS
                          ? "it is not exported, and another compiler than GCC may have changed its signature"
                          : "it is not exported, and its object does not say that GCC alone compiled it";

    diag_set(diag, "not proven: %s; %sleave the value out, or set \"trust_signature\" once you have looked at the code",
             why, proof->is_described ? "" : "install its -dbgsym package, build with -g, ");
    return -ENOTSUP;
}

/* What does not rest on a place: the calling convention. */
static int proof_by_convention(const struct proof *proof, enum resolve_proof *ret_proof, struct diag *diag)
{
    if (proof->is_exported)
        *ret_proof = RESOLVE_PROOF_EXPORTED;
    else if (proof->is_gcc)
        *ret_proof = RESOLVE_PROOF_GCC;
    else if (proof->function->is_trusted)
        *ret_proof = RESOLVE_PROOF_TRUSTED;
    else
        return proof_refuse(proof, diag);
    return 0;
}

static const uint8_t *proof_code(uint64_t address, size_t *ret_bytes, void *context)
{
    const struct object *object = context;

    return object_has_function_code(object, address) ? object_code(object, address, ret_bytes) : NULL;
}

/* Is an argument passed at all? What the function does not read need not be, where its callers were compiled by LLVM.
 * Of a stripped object it is not known who compiled it: there only what is surely not read is turned down. */
static int proof_check_passed(const struct proof *proof, const struct value_location *location, struct diag *diag)
{
    bool is_known_llvm = proof->target->code_object->makers == OBJECT_MAKERS_OTHERS;
    enum reads reads = reads_argument(proof->target->address, location->place == VALUE_IN_VECTOR, location->number,
                                      proof_code, (void *)(uintptr_t)proof->target->code_object);

    if (reads == READS_SURELY || (reads == READS_UNKNOWN && !is_known_llvm))
        return 0;
    diag_set(
        diag,
        "not proven: the function's code does not show that it reads it, and callers need not pass what is not read; "
        "build with -g, leave the value out, or set \"trust_signature\"");
    return -ENOTSUP;
}

/* Sets the place of what the function stores in its frame. False: it cannot be told what it stores there. */
static bool proof_follow_store(const struct proof *proof, const struct debuginfo_found *found,
                               struct value_location *ret_location)
{
    const struct spill_slot slot = {.is_from_rsp = found->is_slot_from_rsp,
                                    .offset = found->slot,
                                    .bytes = found->stored.is_memory ? 8 : found->stored.bytes};
    struct spill_register stored;
    size_t bytes;
    const uint8_t *code = object_code(proof->target->code_object, proof->target->address, &bytes);

    if (!code || !spill_find(code, bytes, &slot, &stored))
        return false;
    *ret_location = found->stored;
    ret_location->place = stored.is_vector ? VALUE_IN_VECTOR : VALUE_IN_REGISTER;
    ret_location->number = (uint8_t)stored.number;
    if (!found->stored.is_memory)
        ret_location->offset = stored.byte;
    return found->stored.is_memory ? stored.byte == 0 : stored.byte % 8 + found->stored.bytes <= 8;
}

static bool proof_is_same_place(const struct value_location *a, const struct value_location *b)
{
    return a->place == b->place && a->number == b->number && a->is_memory == b->is_memory && a->offset == b->offset;
}

static int proof_refuse_gone(const struct proof *proof, struct diag *diag)
{
    diag_set(diag, "the compiler left it out, by the debug information, so that callers need not pass it");
    proof_add_prototype(proof, diag);
    return -ENOTSUP;
}

/* What debug information says of the place of an argument that it knows. */
static int proof_judge(const struct proof *proof, const struct manifest_value *value, struct debuginfo_found *found,
                       struct value_location *ret_location, enum resolve_proof *ret_proof, struct diag *diag)
{
    bool is_placed = found->evidence == DEBUGINFO_PLACED;
    bool is_by_number = value->source != MANIFEST_SOURCE_PARAM;

    if (found->evidence == DEBUGINFO_STORED)
        is_placed = proof_follow_store(proof, found, &found->location);
    if (is_placed &&
        (!is_by_number || (found->has_convention && proof_is_same_place(&found->location, &found->convention)))) {
        *ret_location = found->location;
        *ret_proof = RESOLVE_PROOF_DEBUGINFO;
        return 0;
    }
    *ret_location = found->convention;
    if (proof->function->is_trusted && found->has_convention) {
        *ret_proof = RESOLVE_PROOF_TRUSTED;
        return 0;
    }
    if (is_placed) {
        diag_set(diag, "the compiler moved it, by the debug information; name it by \"param\"");
        proof_add_prototype(proof, diag);
        return -ENOTSUP;
    }
    if (found->evidence == DEBUGINFO_GONE && (proof->is_llvm || !found->has_convention))
        return proof_refuse_gone(proof, diag);
    if (!found->has_convention)
        return proof_refuse(proof, diag);
    return proof_by_convention(proof, ret_proof, diag);
}

static int proof_described_argument(const struct proof *proof, const struct manifest_value *value,
                                    const struct value_location *raw, struct value_location *ret_location,
                                    enum resolve_proof *ret_proof, struct diag *diag)
{
    const struct debuginfo_query query = {.param = value->param,
                                          .field = value->field,
                                          .number = value->number,
                                          .is_vector = value->source == MANIFEST_SOURCE_FARG,
                                          .type = raw ? (enum value_type)raw->type : value->type};
    struct debuginfo_found found;
    int result = debuginfo_locate(proof->debuginfo, proof->target->address, &query, &found, diag);

    if (result < 0 && raw && proof->function->is_trusted) {
        *ret_location = *raw;
        *ret_proof = RESOLVE_PROOF_TRUSTED;
        return 0;
    }
    if (result == -EINVAL)
        proof_add_prototype(proof, diag);
    if (result < 0)
        return result;
    if (found.evidence == DEBUGINFO_SILENT && raw) {
        *ret_location = *raw;
        return proof_by_convention(proof, ret_proof, diag);
    }
    result = proof_judge(proof, value, &found, ret_location, ret_proof, diag);
    if (result < 0 && value->param)
        diag_wrap(diag, "parameter \"%s\"", value->param);
    else if (result < 0)
        diag_wrap(diag, "%sargument %u", query.is_vector ? "floating-point " : "", value->number);
    return result;
}

/* By name there is no other way than debug information. */
static int proof_refuse_param(const struct proof *proof, const struct manifest_value *value, struct diag *diag)
{
    const struct debuginfo_query query = {.param = value->param, .field = value->field, .type = value->type};
    struct debuginfo_found found;
    int result = -ENOENT;

    if (proof->debuginfo)
        result = debuginfo_locate(proof->debuginfo, proof->target->address, &query, &found, diag);
    else
        diag_set(diag, "parameter \"%s\": %s", value->param, proof->why.text);
    return result < 0 ? result : proof_refuse(proof, diag);
}

int proof_argument(const struct proof *proof, const struct manifest_value *value, struct value_location *ret_location,
                   enum resolve_proof *ret_proof, struct diag *diag)
{
    bool is_by_name = value->source == MANIFEST_SOURCE_PARAM;
    struct value_location raw;
    int result = is_by_name ? 0 : resolve_locate_numbered(value, VALUE_VOID, &raw, diag);

    if (result < 0)
        return result;
    if (proof->is_described)
        return proof_described_argument(proof, value, is_by_name ? NULL : &raw, ret_location, ret_proof, diag);
    if (is_by_name)
        return proof_refuse_param(proof, value, diag);
    *ret_location = raw;
    result = proof_by_convention(proof, ret_proof, diag);
    if (result == 0 && *ret_proof == RESOLVE_PROOF_EXPORTED && proof->is_llvm) {
        result = proof_check_passed(proof, ret_location, diag);
        if (result < 0 && proof->function->is_trusted) {
            *ret_proof = RESOLVE_PROOF_TRUSTED;
            return 0;
        }
    }
    if (result < 0)
        diag_wrap(diag, "%sargument %u", value->source == MANIFEST_SOURCE_FARG ? "floating-point " : "", value->number);
    return result;
}

/* Does the type agree with the one that debug information has? All bits that a condition looks at have to be the
 * result's: those above a narrow one mean nothing. */
static bool proof_is_result(const struct debuginfo_function *described, enum value_type type)
{
    const struct value_location *result = &described->result;
    enum value_type is = (enum value_type)result->type;

    if (described->is_void || is == VALUE_VOID)
        return false;
    if (value_type_is_floating(type) || value_type_is_floating(is))
        return type == is;
    return value_type_bytes(type) == result->bytes;
}

static bool proof_has_result_described(const struct proof *proof)
{
    const struct debuginfo_function *described = &proof->described;

    if (!proof->is_described || described->has_own_convention || proof->is_clone || proof->is_foreign)
        return false;
    return described->is_c && (described->is_gnu || (described->is_external && proof->is_global));
}

int proof_result(const struct proof *proof, enum value_type type, enum resolve_proof *ret_proof, struct diag *diag)
{
    int result;

    if (proof->is_described && !proof->function->is_trusted && !proof_is_result(&proof->described, type)) {
        diag_set(diag,
                 type == VALUE_VOID ? "the function returns a value, of which the entry says nothing"
                                    : "the function does not return %s",
                 value_type_name(type));
        proof_add_prototype(proof, diag);
        return -EINVAL;
    }
    if (proof_has_result_described(proof) && proof_is_result(&proof->described, type)) {
        *ret_proof = RESOLVE_PROOF_DEBUGINFO;
        return 0;
    }
    result = proof_by_convention(proof, ret_proof, diag);
    if (result < 0)
        diag_wrap(diag, "the result is");
    return result;
}
