// Parameters of C++ functions: `this`, references, bases, and objects that are passed by reference without saying so.
#define KEPT __attribute__((noinline, visibility("default")))

static volatile long sink;

struct Plain {
    int first;
    int second;
};

class Text
{
  public:
    Text(const char *text);
    Text(const Text &other);
    ~Text();
    const char *text;
    int length;
};

struct Base {
    virtual ~Base();
    int base_value;
    int hidden;
};

struct Other {
    long other_value;
};

struct Derived : Base, Other {
    KEPT int method(int value);
    static KEPT int fixed(int value);
    Text copy(int value);
    double own;
    int hidden;
    static int shared;
    int &reference;
    Derived(int &target) : own(0), hidden(0), reference(target) {}
};

enum class Level : unsigned char {
    low = 1,
    high = 2
};

class Copied
{
  public:
    Copied();
    Copied(const Copied &other);
    int value;
};

template <typename T> class Box
{
  public:
    Box();
    Box(const Box &other);
    T value;
};

class Defaulted
{
  public:
    Defaulted(int from) : value(from) {}
    Defaulted(const Defaulted &other) = default;
    int value;
};

struct Nested {
    Text text;
};

struct Listed {
    Copied list[2];
};

struct Heir : Text {
    using Text::Text;
};

struct Diamond : virtual Plain {
    KEPT Diamond(int value);
    int more;
};

int Derived::shared;
KEPT Base::~Base()
{
    sink = 1;
}
KEPT Text::Text(const char *from) : text(from), length(0) {}
KEPT Text::Text(const Text &other) : text(other.text), length(other.length)
{
    sink = 1;
}
KEPT Text::~Text()
{
    sink = 2;
}
KEPT Diamond::Diamond(int value) : more(value)
{
    sink = value;
}
KEPT int Derived::method(int value)
{
    sink = value + hidden;
    return 0;
}
KEPT int Derived::fixed(int value)
{
    sink = value;
    return 0;
}
KEPT Text Derived::copy(int value)
{
    sink = value;
    return Text("");
}

extern "C" {
KEPT int by_reference(int &number, const Plain &plain, Text &&text, const char *const &string)
{
    sink = number + plain.first + text.length + string[0];
    return 0;
}
KEPT int by_value(Plain plain, Text text, Level level, int last)
{
    sink = plain.first + text.length + static_cast<int>(level) + last;
    return 0;
}
KEPT int by_copied(Copied copied, Box<int> box, Defaulted defaulted, int last)
{
    sink = copied.value + box.value + defaulted.value + last;
    return 0;
}
KEPT int by_members(Nested nested, Listed listed, Heir heir, int last)
{
    sink = nested.text.length + listed.list[0].value + heir.length + last;
    return 0;
}
KEPT int defaulted_alone(Defaulted defaulted, int last)
{
    sink = defaulted.value + last;
    return 0;
}
KEPT int members_on_stack(long a, long b, long c, long d, long e, long f, long g, int (Derived::*member)(int),
                          long last)
{
    sink = a + b + c + d + e + f + g + (member != nullptr) + last;
    return 0;
}
KEPT int derived_fields(Derived *derived)
{
    sink = derived->base_value + derived->other_value;
    return derived->reference;
}
KEPT int null_pointers(decltype(nullptr), int (Derived::*member)(int), int Derived::*data, int last)
{
    sink = (member != nullptr) + (data != nullptr) + last;
    return 0;
}
}
