#include "base/config.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace svasim {
namespace {

using testing::ElementsAre;

Config load(const std::string& text, Problems& problems, const std::vector<std::string>& overrides = {}) {
  return load_config_text(text, "x.yaml", overrides, problems);
}

nlohmann::json json_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Problems problems;
  const Config config = load(text, problems, overrides);
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  return config.root.to_json();
}

std::vector<std::string> problems_of(const std::string& text,
                                     const std::vector<std::string>& overrides = {}) {
  Problems problems;
  load(text, problems, overrides);
  return problems.lines();
}

// Files in a folder of their own, gone afterwards.
class ConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("svasim_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_ / "parts");
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }
  static void write(const std::string& name, const std::string& text) { std::ofstream(name) << text; }

 private:
  std::filesystem::path folder_;
  std::filesystem::path before_;
};

TEST(Config, EveryNodeKnowsItsPlaceAndPath) {
  Problems problems;
  const Config config = load("sim:\n  seed: 7\nlist:\n  - a\n  - b: {c: 'd'}\n", problems);
  const ConfigNode* seed = config.root.find("sim")->find("seed");
  EXPECT_EQ(to_string(seed->where()), "x.yaml:2:9");
  EXPECT_EQ(seed->path(), "sim.seed");
  const ConfigNode& d = *config.root.find("list")->items()[1].find("b")->find("c");
  EXPECT_EQ(d.path(), "list[1].b.c");
  EXPECT_EQ(to_string(d.where()), "x.yaml:5:12");
  EXPECT_TRUE(d.quoted());
}

TEST(Config, ScalarsBecomeTyped) {
  EXPECT_EQ(
      json_of("{a: 1, b: 0x10, c: -2, d: 1.5, e: true, f: ~, g: '1', h: 10 ns, i: nan, j: inf, k: [x]}")
          .dump(),
      R"({"a":1,"b":16,"c":-2,"d":1.5,"e":true,"f":null,"g":"1","h":"10 ns","i":"nan","j":"inf","k":["x"]})");
}

TEST(Config, YamlDumpReadsBackTheSame) {
  const std::string text =
      "b: [1, {x: y, z: []}, [2, 3]]\na: {'odd key': 'true', e: {}}\nc: \"tab\\tand 'quotes'\"\n";
  Problems problems;
  const ConfigNode first = load(text, problems).root;
  const ConfigNode second = load(first.to_yaml(), problems).root;
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  EXPECT_EQ(first.to_json(), second.to_json()) << first.to_yaml();
  EXPECT_EQ(first.to_yaml(), second.to_yaml());
  EXPECT_EQ(load("b: 1\na: {d: 2, c: 3}\n", problems).root.to_yaml(), "a:\n  c: 3\n  d: 2\nb: 1\n");
}

TEST(Config, DuplicateKeysNameBothLines) {
  EXPECT_THAT(problems_of("a: 1\nb:\n  c: 1\n  d: 2\n  c: {x: 3}\na: [4]\n"),
              ElementsAre("x.yaml:5:3: b.c: key 'c' appears twice (first on line 3)",
                          "x.yaml:6:1: a: key 'a' appears twice (first on line 1)"));
}

TEST(Config, SyntaxErrorsHaveAPlace) {
  EXPECT_THAT(problems_of("a: 1\nb: [1, 2\nc: 3\n"), ElementsAre(testing::StartsWith("x.yaml:3:")));
  EXPECT_THAT(problems_of("a: 1\n\tb: 2\n"), ElementsAre(testing::StartsWith("x.yaml:2:1: YAML syntax: ")));
  EXPECT_THAT(problems_of("[1, 2]\n"), ElementsAre("x.yaml:1:1: a configuration is a map, this is a list"));
  EXPECT_THAT(problems_of("? [a]\n: 1\nb: 2\n"),
              ElementsAre(testing::EndsWith("a key must be a plain word")));
  EXPECT_THAT(problems_of("a: 1\n---\nb: 2\n"), ElementsAre(testing::HasSubstr("a second one starts here")));
  EXPECT_THAT(problems_of(""), ElementsAre());
}

TEST(Config, AliasesAreCopies) {
  EXPECT_EQ(json_of("a: &x {b: [1]}\nc: *x\n").dump(), R"({"a":{"b":[1]},"c":{"b":[1]}})");
  Problems problems;
  EXPECT_EQ(load("a: &x {b: [1]}\nc: *x\n", problems).root.find("c")->find("b")->items()[0].path(), "c.b[0]");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string n = std::to_string(i);
    const std::string ref = "*a" + std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [" + ref;
    for (int j = 0; j < 9; ++j) bomb += ", " + ref;
    bomb += "]\n";
  }
  EXPECT_THAT(problems_of(bomb), ElementsAre("x.yaml: its aliases make more than 100000 entries"));
}

TEST(Config, MergeIsDeepAndNullRemoves) {
  Problems problems;
  const ConfigNode base = load("a: {b: 1, c: {d: 2}, l: [1, 2]}\ne: 5\n", problems).root;
  const ConfigNode over = load("a: {c: {f: 3}, l: [9]}\ne: ~\nn: 1\n", problems).root;
  EXPECT_EQ(merge_config(base, over).to_json().dump(), R"({"a":{"b":1,"c":{"d":2,"f":3},"l":[9]},"n":1})");
}

TEST(Config, Overrides) {
  EXPECT_EQ(
      json_of("a: {b: 1}\nl: [{x: 1}, 2]\n", {"a.b=2", "a.c.d=[1, 10 ns]", "l[0].x=5", "l[1]=7", "t='1'"})
          .dump(),
      R"({"a":{"b":2,"c":{"d":[1,"10 ns"]}},"l":[{"x":5},7],"t":"1"})");
  EXPECT_EQ(json_of("a: {b: 1, c: 2}\n", {"a.b=", "a.c=x=y"}).dump(), R"({"a":{"c":"x=y"}})");
  EXPECT_THAT(
      problems_of("a: 1\nl: [1]\n",
                  {"nonsense", "a.b=1", "l[3]=1", "=1", "l[x]=1", "a=[1", "zz=~", "a[0]=1", "a..b=1"}),
      ElementsAre(
          "--set #1: 'nonsense' is not of the form path.to.key=value",
          "--set #2: a.b: there is a value at 'a', not a map", "--set #3: l[3]: the list has 1 entries",
          "--set #4: '=1' is not of the form path.to.key=value",
          "--set #5: 'l[x]=1' is not of the form path.to.key=value", testing::StartsWith("--set #6: a: "),
          "--set #7: zz: there is nothing to remove", "--set #8: a[0]: there is a value, not a list",
          "--set #9: 'a..b=1' is not of the form path.to.key=value"));
  Problems problems;
  const Config config = load("a: 1\n", problems, {"a=2", "b.c=3"});
  EXPECT_EQ(to_string(config.root.find("a")->where()), "--set #1");
  EXPECT_EQ(to_string(config.root.find("b")->find("c")->where()), "--set #2");
  EXPECT_EQ(config.root.find("b")->find("c")->path(), "b.c");
}

TEST_F(ConfigFiles, ExtendsRelativeToTheFileItStandsIn) {
  write("parts/base.yaml", "extends: deep.yaml\na: {x: 1, y: 1}\n");
  write("parts/deep.yaml", "a: {x: 0, z: 0}\nlist: [1, 2]\n");
  write("parts/second.yaml", "a: {y: 2}\n");
  write("top.yaml", "extends: [parts/base.yaml, parts/second.yaml]\na: {new: 3}\nlist: [3]\n");
  Problems problems;
  const Config config = load_config("top.yaml", {}, problems);
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  EXPECT_EQ(config.root.to_json().dump(), R"({"a":{"new":3,"x":1,"y":2,"z":0},"list":[3]})");
  EXPECT_THAT(config.files,
              ElementsAre("top.yaml", "parts/base.yaml", "parts/deep.yaml", "parts/second.yaml"));
  EXPECT_EQ(to_string(config.root.find("a")->find("z")->where()), "parts/deep.yaml:1:14");
}

TEST_F(ConfigFiles, ExtendsInsideAMap) {
  write("parts/tlb.yaml", "entries: 64\nways: 4\n");
  write("top.yaml", "components:\n  tlb0: {extends: parts/tlb.yaml, ways: 8}\n");
  Problems problems;
  const Config config = load_config("top.yaml", {}, problems);
  EXPECT_EQ(config.root.to_json().dump(), R"({"components":{"tlb0":{"entries":64,"ways":8}}})");
  EXPECT_EQ(config.root.find("components")->find("tlb0")->find("entries")->path(), "components.tlb0.entries");
}

TEST_F(ConfigFiles, ExtendsCycleShowsTheChain) {
  write("a.yaml", "extends: parts/b.yaml\n");
  write("parts/b.yaml", "x: 1\nextends: ../c.yaml\n");
  write("c.yaml", "extends: parts/b.yaml\n");
  Problems problems;
  load_config("a.yaml", {}, problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre("c.yaml:1:10: extends: extends itself: parts/b.yaml -> c.yaml -> parts/b.yaml"));
}

TEST_F(ConfigFiles, UnreadableFiles) {
  write("a.yaml", "extends: [missing.yaml, parts]\n");
  Problems problems;
  load_config("a.yaml", {}, problems);
  load_config("gone.yaml", {}, problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre("cannot read 'gone.yaml': there is no such file",
                          "a.yaml:1:11: extends[0]: cannot read 'missing.yaml': there is no such file",
                          "a.yaml:1:25: extends[1]: cannot read 'parts': it is a folder"));
}

TEST(Problems, SortedByPlaceWithoutRepetition) {
  Problems problems;
  problems.add({"b.yaml", 2, 1}, "p", "second");
  problems.add({"b.yaml", 10, 1}, "p", "third");
  problems.add({"a.yaml", 50, 1}, "p", "first");
  problems.add({"a.yaml", 50, 1}, "p", "first");
  EXPECT_EQ(problems.to_string(), "a.yaml:50:1: p: first\nb.yaml:2:1: p: second\nb.yaml:10:1: p: third");
  EXPECT_THROW(problems.throw_if_any(), ConfigError);
}

// Unicode standard, Table 3-7: the first and last character of each row, and what lies just outside.
TEST(Utf8, TakesWellFormedTextOnly) {
  for (const char* good :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xec\xbf\xbf", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << printable_utf8(good);
  }
  for (const char* bad : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0",
                          "\xe0\x9f\xbf", "\xe1\x80", "\xe1\x80\x7f", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf1\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(first_not_utf8(std::string("xy") + bad), 2U) << printable_utf8(bad);
  }
  EXPECT_EQ(printable_utf8("caf\xe9 \xc3\xa9"), "caf\\xe9 \xc3\xa9");
}

}  // namespace
}  // namespace svasim
