/* Conditions: from text to a tree by recursive descent, and from the tree to a table of range tests.
 *
 *     either     = both { "||" both }
 *     both       = single { "&&" single }
 *     single     = "!" single | "(" either ")" | comparison
 *     comparison = ( "ret" | "errno" ) ( OP constant | "in" "(" constant { "," constant } ")" )
 *
 * A negation is pushed down to the comparisons while reading (De Morgan), so the tree has none. Tests come in the order
 * of the text, and the targets of each follow from the sizes of its neighbours. */
#include "symbols/values/condition.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/values/condition_scan.h"

enum {
    DEPTH_MAX = 64,
    TESTS_MAX = 256,
    NODES_MAX = 2 * TESTS_MAX,
};

static const struct condition_domain ret_domains[] = {
    [VALUE_VOID] = {.name = "void"},
    [VALUE_BOOL] = {"bool", CONDITION_RET8, 0, 1, 0, 1, "0 or 1"},
    [VALUE_INT32] = {"int32", CONDITION_RET32, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX, "-2147483648 to 2147483647"},
    [VALUE_UINT32] = {"uint32", CONDITION_RET32, 0, UINT32_MAX, 0, UINT32_MAX, "0 to 4294967295"},
    [VALUE_INT64] = {"int64", CONDITION_RET64, INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX,
                     "-9223372036854775808 to 9223372036854775807"},
    [VALUE_UINT64] = {"uint64", CONDITION_RET64, 0, UINT64_MAX, 0, UINT64_MAX, "0 to 18446744073709551615"},
    /* MAP_FAILED is (void *)-1: a negative constant means the address at the top. */
    [VALUE_POINTER] = {"pointer", CONDITION_RET64, INT64_MIN, UINT64_MAX, 0, UINT64_MAX, "an unsigned address"},
    [VALUE_FLOAT] = {"float", CONDITION_FLOAT, 0, 0, 0x007FFFFF, 0xFF800000, "-3.4e38 to 3.4e38"},
    [VALUE_DOUBLE] = {"double", CONDITION_DOUBLE, 0, 0, 0x000FFFFFFFFFFFFF, 0xFFF0000000000000, "-1.7e308 to 1.7e308"},
};

static const struct condition_domain errno_domain = {"errno",   CONDITION_ERRNO, 0,          CONDITION_ERRNO_MAX,
                                                     INT32_MIN, INT32_MAX,       "0 to 4095"};

/* The keys from low to high; or, negated, all others. */
struct range {
    condition_wide low;
    condition_wide high;
    bool is_negated;
};

enum node_type {
    NODE_TEST,
    NODE_AND,
    NODE_OR,
};

struct node {
    enum node_type type;
    uint16_t left; /* nodes */
    uint16_t right;
    uint16_t test_count; /* of the whole subtree */
    enum condition_source source;
    struct range range;
};

struct parser {
    struct condition_scanner scanner;
    enum value_type returns;
    int depth;
    uint16_t node_count;
    uint16_t test_count;
    struct node nodes[NODES_MAX];
    condition_wide list[TESTS_MAX]; /* of the `in` that is being read */
};

enum comparison {
    COMPARISON_EQUAL,
    COMPARISON_UNEQUAL,
    COMPARISON_LESS,
    COMPARISON_LESS_EQUAL,
    COMPARISON_GREATER,
    COMPARISON_GREATER_EQUAL,
};

/* The longer ones first. */
static const struct {
    const char *text;
    enum comparison comparison;
} operators[] = {
    {"==", COMPARISON_EQUAL},         {"!=", COMPARISON_UNEQUAL}, {"<=", COMPARISON_LESS_EQUAL},
    {">=", COMPARISON_GREATER_EQUAL}, {"<", COMPARISON_LESS},     {">", COMPARISON_GREATER},
};

/* Functions from here on return the index of a node, or -errno. */
static int add_test(struct parser *parser, const struct condition_domain *domain, const struct range *range)
{
    if (parser->test_count == TESTS_MAX)
        return condition_fail(&parser->scanner, parser->scanner.at, "more than %d comparisons", TESTS_MAX);
    parser->test_count++;
    parser->nodes[parser->node_count] =
        (struct node){.type = NODE_TEST, .test_count = 1, .source = domain->source, .range = *range};
    return parser->node_count++;
}

/* There are fewer joints than tests, so NODES_MAX holds them. */
static int join_nodes(struct parser *parser, enum node_type type, int left, int right)
{
    if (right < 0)
        return right;
    assert(parser->node_count < NODES_MAX);
    parser->nodes[parser->node_count] = (struct node){
        .type = type,
        .left = (uint16_t)left,
        .right = (uint16_t)right,
        .test_count = (uint16_t)(parser->nodes[left].test_count + parser->nodes[right].test_count),
    };
    return parser->node_count++;
}

static struct range range_of(const struct condition_domain *domain, enum comparison comparison, condition_wide key)
{
    switch (comparison) {
    case COMPARISON_LESS:
        return (struct range){.low = domain->key_low, .high = key - 1};
    case COMPARISON_LESS_EQUAL:
        return (struct range){.low = domain->key_low, .high = key};
    case COMPARISON_GREATER:
        return (struct range){.low = key + 1, .high = domain->key_high};
    case COMPARISON_GREATER_EQUAL:
        return (struct range){.low = key, .high = domain->key_high};
    default:
        return (struct range){.low = key, .high = key, .is_negated = comparison == COMPARISON_UNEQUAL};
    }
}

static int read_comparison(struct parser *parser, const struct condition_domain *domain, enum comparison comparison,
                           bool negate, const char *begin)
{
    struct range range;
    condition_wide key;
    const int result = condition_read_constant(&parser->scanner, domain, &key);

    if (result)
        return result;
    range = range_of(domain, comparison, key);
    if (range.low > range.high)
        return condition_fail(&parser->scanner, begin, "%.*s never holds for %s (%s)",
                              (int)(parser->scanner.at - begin), begin, domain->name, domain->range);
    range.is_negated ^= negate;
    return add_test(parser, domain, &range);
}

static int compare_keys(const void *left, const void *right)
{
    const condition_wide a = *(const condition_wide *)left;
    const condition_wide b = *(const condition_wide *)right;

    return (a > b) - (a < b);
}

/* Makes one test of equal and neighbouring values: EAGAIN and EWOULDBLOCK are the same number. */
static int join_list(struct parser *parser, const struct condition_domain *domain, size_t count, bool negate)
{
    int node = -1;

    qsort(parser->list, count, sizeof *parser->list, compare_keys);
    for (size_t i = 0; i < count; i++) {
        struct range range = {.low = parser->list[i], .high = parser->list[i], .is_negated = negate};
        int test;

        while (i + 1 < count && parser->list[i + 1] <= range.high + 1)
            range.high = parser->list[++i];
        test = add_test(parser, domain, &range);
        if (test < 0)
            return test;
        node = node < 0 ? test : join_nodes(parser, negate ? NODE_AND : NODE_OR, node, test);
    }
    return node;
}

static int read_list(struct parser *parser, const struct condition_domain *domain, bool negate)
{
    size_t count = 0;

    if (!condition_accept(&parser->scanner, "("))
        return condition_fail_expected(&parser->scanner, "( and a list after in");
    do {
        int result;

        if (count == TESTS_MAX)
            return condition_fail(&parser->scanner, parser->scanner.at, "more than %d values", TESTS_MAX);
        result = condition_read_constant(&parser->scanner, domain, &parser->list[count++]);
        if (result)
            return result;
    } while (condition_accept(&parser->scanner, ","));
    if (!condition_accept(&parser->scanner, ")"))
        return condition_fail_expected(&parser->scanner, ", or )");
    return join_list(parser, domain, count, negate);
}

static int read_operand(struct parser *parser, const struct condition_domain *domain, bool negate, const char *begin)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (condition_accept(&parser->scanner, operators[i].text))
            return read_comparison(parser, domain, operators[i].comparison, negate, begin);
    if (condition_accept(&parser->scanner, "in"))
        return read_list(parser, domain, negate);
    return condition_fail_expected(&parser->scanner, "one of == != < <= > >= in");
}

static int read_either(struct parser *parser, bool negate);

static int read_parenthesis(struct parser *parser, bool negate)
{
    const int node = read_either(parser, negate);

    if (node >= 0 && !condition_accept(&parser->scanner, ")"))
        return condition_fail_expected(&parser->scanner, "&&, || or )");
    return node;
}

static int read_primary(struct parser *parser, bool negate)
{
    const char *begin;

    condition_skip_space(&parser->scanner);
    begin = parser->scanner.at;
    if (condition_accept(&parser->scanner, "errno"))
        return read_operand(parser, &errno_domain, negate, begin);
    if (condition_accept(&parser->scanner, "ret")) {
        if (parser->returns == VALUE_VOID)
            return condition_fail(&parser->scanner, begin, "the function returns void, so there is no ret");
        return read_operand(parser, &ret_domains[parser->returns], negate, begin);
    }
    return condition_fail_expected(&parser->scanner, "ret, errno, ! or (");
}

static int read_single(struct parser *parser, bool negate)
{
    int node;

    if (++parser->depth > DEPTH_MAX)
        return condition_fail(&parser->scanner, parser->scanner.at, "nested deeper than %d levels", DEPTH_MAX);
    if (condition_accept(&parser->scanner, "!"))
        node = read_single(parser, !negate);
    else if (condition_accept(&parser->scanner, "("))
        node = read_parenthesis(parser, negate);
    else
        node = read_primary(parser, negate);
    parser->depth--;
    return node;
}

static int read_both(struct parser *parser, bool negate)
{
    int node = read_single(parser, negate);

    while (node >= 0 && condition_accept(&parser->scanner, "&&"))
        node = join_nodes(parser, negate ? NODE_OR : NODE_AND, node, read_single(parser, negate));
    return node;
}

static int read_either(struct parser *parser, bool negate)
{
    int node = read_both(parser, negate);

    while (node >= 0 && condition_accept(&parser->scanner, "||"))
        node = join_nodes(parser, negate ? NODE_AND : NODE_OR, node, read_both(parser, negate));
    return node;
}

static int read_all(struct parser *parser)
{
    const int node = read_either(parser, false);

    if (node < 0)
        return node;
    condition_skip_space(&parser->scanner);
    if (*parser->scanner.at)
        return condition_fail_expected(&parser->scanner, "&&, || or the end");
    return node;
}

static uint64_t source_mask(enum condition_source source)
{
    switch (source) {
    case CONDITION_RET8:
        return UINT8_MAX;
    case CONDITION_RET64:
    case CONDITION_DOUBLE:
        return UINT64_MAX;
    default:
        return UINT32_MAX;
    }
}

/* Writes the tests of a subtree from tests[first] on. The depth of the recursion is at most the number of tests. */
static void write_tests(const struct parser *parser, uint16_t index, uint16_t first, uint16_t on_true,
                        uint16_t on_false, struct condition_test *tests)
{
    const struct node *node = &parser->nodes[index];
    uint16_t second;

    if (node->type == NODE_TEST) {
        tests[first] = (struct condition_test){
            .low = (uint64_t)node->range.low & source_mask(node->source),
            .span = (uint64_t)(node->range.high - node->range.low),
            .source = (uint16_t)node->source,
            .on_true = node->range.is_negated ? on_false : on_true,
            .on_false = node->range.is_negated ? on_true : on_false,
        };
        return;
    }
    second = (uint16_t)(first + parser->nodes[node->left].test_count);
    if (node->type == NODE_AND)
        write_tests(parser, node->left, first, second, on_false, tests);
    else
        write_tests(parser, node->left, first, on_true, second, tests);
    write_tests(parser, node->right, second, on_true, on_false, tests);
}

static int compile_text(struct parser *parser, struct condition *ret_condition)
{
    struct condition_test *tests;
    const int root = read_all(parser);

    if (root < 0)
        return root;
    assert(parser->nodes[root].test_count == parser->test_count); /* every test is in the tree, so all are written */
    tests = calloc(parser->test_count, sizeof *tests);
    if (!tests)
        return -ENOMEM;
    write_tests(parser, (uint16_t)root, 0, CONDITION_TRUE, CONDITION_FALSE, tests);
    *ret_condition = (struct condition){.tests = tests, .count = parser->test_count};
    return 0;
}

int condition_compile(const char *text, enum value_type returns, struct condition *ret_condition, size_t *ret_offset,
                      struct diag *diag)
{
    struct parser *parser = malloc(sizeof *parser);
    int result = -ENOMEM;

    if (parser) {
        *parser = (struct parser){.scanner = {.at = text, .diag = diag}, .returns = returns};
        result = compile_text(parser, ret_condition);
    }
    if (result == -ENOMEM)
        diag_set(diag, "out of memory");
    if (result == -EINVAL)
        *ret_offset = (size_t)(parser->scanner.error_at - text);
    free(parser);
    return result;
}

void condition_finish(struct condition *condition)
{
    free(condition->tests);
    *condition = (struct condition){0};
}
