#include "work/pipelines/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mainstay::work {
namespace {

using platform::Json;
using testing::HasSubstr;

// The document of RFC 6901, section 5.
constexpr const char* kRfc = R"({
  "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
  " ": 7, "m~n": 8})";

Sources make_sources() {
  Sources sources({"scan", "lint", "later"});
  sources.add("run", model::Payload::of(R"({"id":"r","input":{"path":"."},"labels":{}})"));
  sources.add("scan", model::Payload::of(kRfc));
  sources.add_skipped("lint");
  return sources;
}

Result<std::string> resolved(Sources& sources, std::string_view input) {
  return resolve_input(*platform::parse_json(input), sources);
}

TEST(Reference, FindsWhatRfc6901SaysItFinds) {
  Sources sources = make_sources();
  const std::pair<const char*, const char*> table[] = {
      {"scan#/foo", R"(["bar","baz"])"},
      {"scan#/foo/0", R"("bar")"},
      {"scan#/", "0"},
      {"scan#/a~1b", "1"},
      {"scan#/c%d", "2"},
      {"scan#/e^f", "3"},
      {"scan#/g|h", "4"},
      {"scan#/i\\j", "5"},
      {"scan#/k\"l", "6"},
      {"scan#/ ", "7"},
      {"scan#/m~0n", "8"},
  };
  for (const auto& [text, want] : table) {
    SCOPED_TRACE(text);
    const auto reference = sources.reference(text);
    ASSERT_TRUE(reference);
    const auto value = sources.find(*reference);
    ASSERT_TRUE(value) << value.error().to_text();
    EXPECT_EQ(platform::to_text(**value), want);
  }
}

TEST(Reference, OtherStringsAreJustStrings) {
  const Sources sources = make_sources();
  for (const char* text : {"", "#", "plain", "C# /x", "c#/x", "scan", "scan#x", "#/a", "Scan#/a",
                           "scan #/a", "http://host/page#/a", "scan#/a~", "scan#/a~2"}) {
    EXPECT_FALSE(sources.reference(text)) << text;
  }
}

TEST(Reference, InputsAreFilledIn) {
  Sources sources = make_sources();
  const Json element = *platform::parse_json(R"({"path":"a.cc","lines":[1,2]})");
  sources.set_element(&element, 4);
  const std::pair<const char*, const char*> table[] = {
      {R"({"path":"run#/input/path","n":1})", R"({"path":".","n":1})"},
      {R"("run#/input")", R"({"path":"."})"},
      {R"(["item#/path","index#",{"all":"item#"}])",
       R"(["a.cc",4,{"all":{"path":"a.cc","lines":[1,2]}}])"},
      {R"({"$literal":"run#/id"})", R"("run#/id")"},
      {R"({"a":{"$literal":{"$literal":["item#"]}}})", R"({"a":{"$literal":["item#"]}})"},
      {R"({"$literal":1,"b":"index#"})", R"({"$literal":1,"b":4})"},
      {R"({"skipped":"lint#/deep/down"})", R"({"skipped":null})"},
      {R"({"run#/id":"run#/id"})", R"({"run#/id":"r"})"},  // keys are never references
      {R"([true,null,1.5,"C#/x"])", R"([true,null,1.5,"C#/x"])"},
      {"[]", "[]"},
      {"{}", "{}"},
  };
  for (const auto& [input, want] : table) {
    SCOPED_TRACE(input);
    const auto text = resolved(sources, input);
    ASSERT_TRUE(text) << text.error().to_text();
    EXPECT_EQ(*text, want);
  }
}

// A whole output goes on as it was written: big numbers, spaces, order.
TEST(Reference, AWholeOutputIsNotRewritten) {
  Sources sources({"scan"});
  const std::string odd = R"({ "z": 12345678901234567890.123, "a" : [1 ,2] })";
  sources.add("scan", model::Payload::of(odd));
  EXPECT_EQ(*resolved(sources, R"("scan#")"), odd);
}

TEST(Reference, WhatCannotBeResolvedSaysHowFarItGot) {
  Sources sources = make_sources();
  sources.add("later", model::Payload::of("{not json"));
  const std::pair<const char*, const char*> table[] = {
      {R"("run#/input/pth")", "there is nothing at it; \"/input\" is an object"},
      {R"("scan#/foo/2")", "\"/foo\" is an array"},
      {R"("scan#/foo/-")", "\"/foo\" is an array"},
      {R"("scan#/foo/01")", "\"/foo\" is an array"},
      {R"("item#/x")", "this stage has no foreach"},
      {R"("index#")", "this stage has no foreach"},
      {R"("later#/x")", "the output cannot be read: not valid JSON"},
  };
  for (const auto& [input, message] : table) {
    SCOPED_TRACE(input);
    const auto text = resolved(sources, input);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), Code::reference_unresolved);
    EXPECT_THAT(text.error().message(), HasSubstr(message));
  }
}

TEST(Reference, AStageThatDoesNotComeBeforeIsRefused) {
  Sources sources = make_sources();
  const auto text = resolved(sources, R"("later#/x")");
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message(), HasSubstr("not among those that this one needs"));
}

TEST(Reference, AnInputThatGrowsTooLargeIsRefused) {
  Sources sources({"scan"});
  sources.add("scan", model::Payload::of("\"" + std::string(8UL * 1024 * 1024, 'x') + "\""));
  const auto text = resolved(sources, R"(["scan#","scan#"])");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), Code::payload_too_large);
}

struct When {
  model::ConditionKind kind;
  const char* reference;
  const char* value;
  bool want;
};

TEST(Reference, Conditions) {
  using enum model::ConditionKind;
  Sources sources({"scan", "lint"});
  sources.add("scan", model::Payload::of(
                          R"({"n":1,"zero":0,"no":false,"null":null,"text":"","list":[],
                              "obj":{"a":1,"b":[1,2]},"f":1.0})"));
  sources.add_skipped("lint");
  const When table[] = {
      {exists, "scan#/n", "", true},
      {exists, "scan#/zero", "", true},
      {exists, "scan#/null", "", false},
      {exists, "scan#/none", "", false},
      {exists, "lint#", "", false},
      {exists, "lint#/x", "", false},
      {not_empty, "scan#/n", "", true},
      {not_empty, "scan#/zero", "", false},
      {not_empty, "scan#/no", "", false},
      {not_empty, "scan#/text", "", false},
      {not_empty, "scan#/list", "", false},
      {not_empty, "scan#/obj", "", true},
      {not_empty, "scan#/none", "", false},
      {equals, "scan#/n", "1", true},
      {equals, "scan#/n", "1.0", true},
      {equals, "scan#/f", "1", true},
      {equals, "scan#/n", "\"1\"", false},
      {equals, "scan#/n", "true", false},
      {equals, "scan#/obj", R"({"b":[1,2],"a":1})", true},
      {equals, "scan#/obj", R"({"b":[2,1],"a":1})", false},
      {equals, "scan#/none", "null", false},
      {equals, "scan#/null", "null", true},
      {not_equals, "scan#/n", "2", true},
      {not_equals, "scan#/n", "1", false},
      {not_equals, "scan#/none", "1", true},
  };
  for (const When& when : table) {
    SCOPED_TRACE(std::string(to_text(when.kind)) + " " + when.reference + " " + when.value);
    const auto held = holds({when.kind, when.reference, when.value}, sources);
    ASSERT_TRUE(held) << held.error().to_text();
    EXPECT_EQ(*held, when.want);
  }
  EXPECT_FALSE(holds({exists, "nonsense", ""}, sources));
  EXPECT_FALSE(holds({equals, "scan#/n", "{"}, sources));
}

TEST(Reference, ForeachNeedsAnArray) {
  Sources sources = make_sources();
  EXPECT_EQ((*elements_of("scan#/foo", sources))->size(), 2U);
  EXPECT_EQ((*elements_of("lint#/files", sources))->size(), 0U) << "the stage was skipped";
  for (const char* bad : {"scan#", "scan#/foo/0", "scan#/none", "text"}) {
    const auto elements = elements_of(bad, sources);
    ASSERT_FALSE(elements) << bad;
    EXPECT_EQ(elements.error().code(), Code::reference_unresolved);
  }
}

}  // namespace
}  // namespace mainstay::work
