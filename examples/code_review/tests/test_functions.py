"""Function lengths and nesting, counted by hand in tests/samples."""
import pathlib

import pytest

from review import functions

SAMPLES = pathlib.Path(__file__).parent / "samples"

# name, first line, last line, deepest nesting
BY_HAND = {
    ("sample.c", "c"): [
        ("add", 9, 13, 0), ("one_line", 15, 15, 0), ("make_point", 17, 20, 0),
        ("classify", 22, 37, 3), ("braceless", 39, 45, 3), ("loops", 47, 60, 2),
        ("platform", 63, 68, 0), ("pick", 74, 76, 0)],
    ("sample.cc", "cpp"): [
        ("largest", 11, 18, 2), ("Store", 24, 26, 1), ("~Store", 27, 27, 0),
        ("size", 28, 28, 0), ("operator==", 29, 31, 0), ("operator()", 32, 32, 0),
        ("operator bool", 33, 33, 0), ("begin", 34, 36, 0), ("Store::open", 43, 57, 4),
        ("Store::close", 59, 62, 0), ("plain", 64, 71, 1), ("TEST(StoreTest, Opens)", 73, 75, 0),
        ("exported", 80, 82, 0)],
    ("sample.py", "python"): [
        ("decorated", 6, 8, 1), ("Reader.__init__", 12, 13, 0), ("Reader.read", 15, 25, 4),
        ("outer", 28, 41, 2), ("outer.inner", 29, 32, 1), ("flat", 47, 47, 0)],
    ("old.py", "python"): [("python2", 1, 5, 2), ("method", 8, 9, 0)],
    ("sample.js", "javascript"): [
        ("plain", 7, 9, 0), ("stream", 11, 16, 2), ("arrow", 18, 24, 3),
        ("constructor", 30, 32, 0), ("size", 34, 34, 0), ("open", 36, 44, 1),
        ("handler", 46, 53, 2), ("method", 57, 60, 1), ("named", 61, 63, 0),
        ("noSemicolons", 67, 75, 2)],
    ("sample.go", "go"): [
        ("Area", 13, 13, 0), ("largest", 15, 24, 2), ("anything", 26, 37, 2),
        ("worker", 39, 53, 3), ("flat", 55, 55, 0)],
    ("sample.rs", "rust"): [
        ("fmt", 7, 9, 0), ("longest", 12, 31, 3), ("double", 35, 37, 0),
        ("chooser", 40, 54, 1), ("helper", 45, 51, 2)],
}


@pytest.mark.parametrize("sample, language", BY_HAND, ids=[name for name, _ in BY_HAND])
def test_as_counted_by_hand(sample, language):
    found = functions.find((SAMPLES / sample).read_text(), language)
    got = [(f.name, f.first_line, f.last_line, f.nesting) for f in found]
    assert got == BY_HAND[sample, language]


@pytest.mark.parametrize("language", ["c", "cpp", "javascript", "go", "rust", "python"])
@pytest.mark.parametrize("text", [
    "", "}", "{{{", ")](", "\"", "/*", "`${", "func", "func (", "fn", "if (", "f(){", "x => {",
    "#if 1\n#else\n", "a" * 5000, "{" * 3000, "(" * 3000 + ")" * 3000, "\x00\ufffd\u2028",
    "int f() { if (x) }", "function f() { for (;;) if (", "r#\"", "R\"x(", "else {", "while",
])
def test_what_makes_no_sense_is_survived(language, text):
    for function in functions.find(text, language):
        assert function.length >= 1 and function.nesting >= 0


@pytest.mark.parametrize("code, nesting", [
    ("int f() { if (a) if (b) x; else y; z; if (c) w; }", 2),
    ("int f() { for (;;) if (a) x; else y; if (b) z; }", 2),
    ("int f() { if (a) for (;;) x; else while (b) y; }", 2),
    ("int f() { if (a) { } else { if (b) c; } }", 2),
    ("int f() { do x; while (a); if (b) c; }", 1),
    ("int f() { do { x; } while (a); while (b) { c; } }", 1),
    ("int f() { a.catch(b); p->for(x); if (q); }", 1),
])
def test_nesting_of_braceless_statements(code, nesting):
    (function,) = functions.find(code, "cpp")
    assert function.nesting == nesting


@pytest.mark.parametrize("code, names", [
    ("MAKE_ENUM(model, Kind, a, b)\n\nnamespace x {\nvoid f() { }\n}", ["f"]),
    ("DECLARE(x)\nint g(int a) {\n  return a;\n}", ["g"]),
    ("struct A f() { return A(); }", ["f"]),
    ("class EXPORT A : public B<int> { void m() { } };", ["m"]),
    ("struct __attribute__((packed)) P { int x; };", []),
    ("int a[] = {1, 2}; auto f = [](int x) { return x; };", []),
    ("template <class T> requires (sizeof(T) > 1) T id(T x) { return x; }", ["id"]),
    ("Foo::Foo() : a_{1}, b_{f(2)} { }", ["Foo::Foo"]),
    ("std::map<int, std::vector<int>> make(int n) { return {}; }", ["make"]),
])
def test_what_is_a_function_in_cpp(code, names):
    assert [f.name for f in functions.find(code, "cpp")] == names
