#include "base/params.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace svasim {
namespace {

using testing::ElementsAre;

struct TlbParams {
  unsigned entries;
  unsigned ways;
  Ps latency;
  std::string policy;
};

const ParamTable<TlbParams>& tlb_params() {
  static const ParamTable<TlbParams> table =
      ParamTable<TlbParams>("Set-associative translation cache")
          .count("entries", &TlbParams::entries, "64", 1, 1U << 20, "Number of entries.", "MODEL")
          .count("ways", &TlbParams::ways, "4", 1, 1024, "Entries of one set.", "MODEL")
          .time("latency", &TlbParams::latency, "2 ns", "1 ps", "1 ms", "From request to answer.", "MODEL")
          .choice("policy", &TlbParams::policy, "lru", {"lru", "plru", "random"}, "Who is replaced.", "MODEL")
          .check([](const TlbParams& p, const Complain& bad) {
            if (p.entries % p.ways != 0) {
              bad("ways",
                  std::to_string(p.ways) + " ways do not divide " + std::to_string(p.entries) + " entries");
            }
          });
  return table;
}

struct AllParams {
  std::uint8_t small;
  std::uint64_t address;
  std::uint64_t size;
  std::uint64_t bandwidth;
  std::uint64_t clock;
  double share;
  bool enable;
  std::string name;
  std::vector<std::string> tags;
  RequesterId bdf;
  TlbParams iotlb;
  std::vector<TlbParams> levels;
  std::map<std::string, TlbParams> by_name;
  std::string memory;
  std::vector<std::string> devices;
};

const ParamTable<AllParams>& all_params() {
  static const ParamTable<AllParams> table =
      ParamTable<AllParams>("One of each")
          .count("small", &AllParams::small, "3", 0, 255, "A byte.", "MODEL")
          .address("address", &AllParams::address, "0xFEE00000", "An address.", "VTD")
          .bytes("size", &AllParams::size, "4 GiB", "4 KiB", "64 TiB", "A size.", "MODEL")
          .bandwidth("bandwidth", &AllParams::bandwidth, "25 GB/s", "1 MB/s", "10 TB/s", "A rate.", "MODEL")
          .frequency("clock", &AllParams::clock, "2 GHz", "1 MHz", "10 GHz", "A clock.", "MODEL")
          .number("share", &AllParams::share, "0.5", 0.0, 1.0, "A share.", "MODEL")
          .flag("enable", &AllParams::enable, "true", "A switch.", "MODEL")
          .text("name", &AllParams::name, "", "A name.", "MODEL")
          .texts("tags", &AllParams::tags, "Some words.", "MODEL")
          .bdf("bdf", &AllParams::bdf, "00:01.0", "A requester ID.", "PCIE")
          .group("iotlb", &AllParams::iotlb, tlb_params(), "A cache.", {{"entries", "128"}})
          .groups("levels", &AllParams::levels, tlb_params(), "Caches in order.")
          .named_groups("by_name", &AllParams::by_name, tlb_params(), "Caches by name.")
          .ref("memory", &AllParams::memory, "memory_target", Ref::kRequired, "Where tables are.")
          .refs("devices", &AllParams::devices, "device", Ref::kOptional, "Who is attached.");
  return table;
}

template <typename P>
std::vector<std::string> problems_of(const ParamTable<P>& table, const std::string& text) {
  Problems problems;
  table.load(load_config_text(text, "x.yaml", {}, problems).root, problems);
  return problems.lines();
}

TEST(Params, DefaultsAreParsedLikeYaml) {
  const AllParams p = all_params().defaults();
  EXPECT_EQ(p.small, 3);
  EXPECT_EQ(p.address, 0xFEE00000U);
  EXPECT_EQ(p.size, 4ULL << 30);
  EXPECT_EQ(p.bandwidth, 25'000'000'000U);
  EXPECT_EQ(p.clock, 2'000'000'000U);
  EXPECT_EQ(p.share, 0.5);
  EXPECT_TRUE(p.enable);
  EXPECT_EQ(p.bdf, RequesterId::from_bdf(0, 1, 0));
  EXPECT_EQ(p.iotlb.entries, 128U);  // replaced by the group
  EXPECT_EQ(p.iotlb.latency, 2'000U);
  EXPECT_EQ(tlb_params().defaults().entries, 64U);
  EXPECT_TRUE(p.memory.empty());
}

const char* const kEverything =
    "small: 0x10\naddress: 4096\nsize: 1 MiB\nbandwidth: 1.5 GB/s\nclock: 100 MHz\nshare: 0.25\nenable: "
    "false\n"
    "name: hello\ntags: [a, b]\nbdf: 02:1f.7\niotlb: {entries: 32, policy: plru}\nlevels: [{ways: 1}, {}]\n"
    "by_name: {l2: {latency: 1.5 ns}}\nmemory: mem0\ndevices: [dsa0, dsa1]\n";

TEST(Params, LoadsEveryType) {
  Problems problems;
  const AllParams p = all_params().load(load_config_text(kEverything, "x.yaml", {}, problems).root, problems);
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  EXPECT_EQ(p.small, 16);
  EXPECT_EQ(p.address, 4096U);
  EXPECT_EQ(p.size, 1U << 20);
  EXPECT_EQ(p.bandwidth, 1'500'000'000U);
  EXPECT_EQ(p.clock, 100'000'000U);
  EXPECT_EQ(p.share, 0.25);
  EXPECT_FALSE(p.enable);
  EXPECT_EQ(p.name, "hello");
  EXPECT_THAT(p.tags, ElementsAre("a", "b"));
  EXPECT_EQ(p.bdf, RequesterId::from_bdf(2, 0x1F, 7));
  EXPECT_EQ(p.iotlb.entries, 32U);
  EXPECT_EQ(p.iotlb.policy, "plru");
  ASSERT_EQ(p.levels.size(), 2U);
  EXPECT_EQ(p.levels[0].ways, 1U);
  EXPECT_EQ(p.levels[1].entries, 64U);
  EXPECT_EQ(p.by_name.at("l2").latency, 1'500U);
  EXPECT_EQ(p.memory, "mem0");
  EXPECT_THAT(p.devices, ElementsAre("dsa0", "dsa1"));
}

TEST(Params, ResolvedDumpReadsBackTheSame) {
  Problems problems;
  const AllParams p = all_params().load(load_config_text(kEverything, "x.yaml", {}, problems).root, problems);
  const nlohmann::json json = all_params().to_json(p);
  EXPECT_EQ(json["size"], "1 MiB");
  EXPECT_EQ(json["address"], "0x1000");
  EXPECT_EQ(json["small"], 16);
  EXPECT_EQ(json["bdf"], "02:1f.7");
  const std::string yaml = json_to_yaml(json);
  const AllParams again = all_params().load(load_config_text(yaml, "y.yaml", {}, problems).root, problems);
  EXPECT_TRUE(problems.empty()) << problems.to_string() << yaml;
  EXPECT_EQ(all_params().to_json(again), json);
  EXPECT_EQ(all_params().to_exact_json(p)["iotlb"]["latency"].dump(), R"({"unit":"ps","value":2000})");
}

TEST(Params, EveryProblemAtOnceWithItsPlace) {
  EXPECT_THAT(
      problems_of(all_params(),
                  "smal: 1\nsmall: 256\nsize: 4 KB\nbandwidth: 1 kB/s\nshare: 2\nenable: yes\nbdf: 02:20.0\n"
                  "name: [x]\ntags: x\niotlb: 5\nlevels: {}\nby_name: {a: {ways: 3}, b: {polic: lru}}\n"),
      ElementsAre(
          "x.yaml:1:1: memory: is not bound: name a component that offers 'memory_target'",
          "x.yaml:1:1: smal: unknown key 'smal' (did you mean 'small'?)",
          "x.yaml:2:8: small: 256 is out of range (0 to 255)",
          "x.yaml:3:7: size: '4 KB' is not a size: unknown unit 'KB'; write for example '4 KiB' (units: B, "
          "KiB, MiB, GiB, TiB)",
          "x.yaml:4:12: bandwidth: 1 kB/s is out of range (1 MB/s to 10 TB/s)",
          "x.yaml:5:8: share: 2 is out of range (0.0 to 1.0)",
          "x.yaml:6:9: enable: 'yes' is neither true nor false",
          "x.yaml:7:6: bdf: '02:20.0' is not a bus:device.function such as 02:00.0",
          "x.yaml:8:7: name: expected a value, found a list",
          "x.yaml:9:7: tags: expected a list, found a value",
          "x.yaml:10:8: iotlb: expected a map, found a value",
          "x.yaml:11:9: levels: expected a list, found a map",
          "x.yaml:12:21: by_name.a.ways: 3 ways do not divide 64 entries",
          "x.yaml:12:29: by_name.b.polic: unknown key 'polic' (did you mean 'policy'?)"));
}

TEST(Params, WrongNumbersAndChoices) {
  EXPECT_THAT(problems_of(tlb_params(), "entries: many\nlatency: 2 s\npolicy: lfu\n"),
              ElementsAre("x.yaml:1:10: entries: 'many' is not a whole number (1 to 1048576)",
                          "x.yaml:2:10: latency: 2 s is out of range (1 ps to 1 ms)",
                          "x.yaml:3:9: policy: 'lfu' is not one of lru, plru, random (did you mean 'lru'?)"));
  EXPECT_THAT(problems_of(tlb_params(), "entries: -1\n"),
              ElementsAre("x.yaml:1:10: entries: '-1' is not a whole number (1 to 1048576)"));
  EXPECT_THAT(problems_of(tlb_params(), "entries:\n"),
              ElementsAre("x.yaml:1:1: entries: expected a value, found nothing"));
  EXPECT_THAT(problems_of(tlb_params(), "entries: 18446744073709551616\n"),
              ElementsAre("x.yaml:1:10: entries: 18446744073709551616 is too large (1 to 1048576)"));
}

TEST(Params, AContradictionIsOnlyReportedAmongValidValues) {
  EXPECT_THAT(problems_of(tlb_params(), "entries: 65\n"),
              ElementsAre("x.yaml:1:1: ways: 4 ways do not divide 65 entries"));
  EXPECT_EQ(problems_of(tlb_params(), "entries: 65\nwyas: 5\n").size(), 1U);
}

TEST(Params, ForeignKeysAreLeftAlone) {
  Problems problems;
  const ConfigNode root = load_config_text("type: tlb\nways: 1\ntyp: x\n", "x.yaml", {}, problems).root;
  tlb_params().load(root, problems, {"type"});
  EXPECT_THAT(problems.lines(), ElementsAre("x.yaml:3:1: typ: unknown key 'typ' (did you mean 'type'?)"));
}

TEST(Params, RefsTellWhoNamesWhom) {
  Problems problems;
  const ConfigNode root = load_config_text(kEverything, "x.yaml", {}, problems).root;
  const AllParams p = all_params().load(root, problems);
  const std::vector<RefUse> uses = all_params().ref_uses(p, root);
  ASSERT_EQ(uses.size(), 3U);
  EXPECT_EQ(uses[0].param, "memory");
  EXPECT_EQ(uses[0].kind, "memory_target");
  EXPECT_EQ(uses[0].target, "mem0");
  EXPECT_EQ(uses[2].param, "devices[1]");
  EXPECT_EQ(uses[2].target, "dsa1");
  EXPECT_EQ(to_string(uses[2].where), "x.yaml:15:17");
}

struct Outer {
  AllParams inner;
};

struct Wired {
  AllParams model;
  std::string walker;
};

TEST(Params, IncludedParametersStandBesideTheirOwn) {
  const auto table = ParamTable<Wired>("wired")
                         .include(&Wired::model, all_params())
                         .ref("walker", &Wired::walker, "walker", Ref::kRequired, "Who walks.");
  EXPECT_EQ(table.defaults().model.iotlb.entries, 128U);
  Problems problems;
  const ConfigNode root =
      load_config_text(std::string(kEverything) + "walker: w\n", "x.yaml", {}, problems).root;
  const Wired p = table.load(root, problems);
  EXPECT_TRUE(problems.empty()) << problems.to_string();
  EXPECT_EQ(p.model.size, 1U << 20);
  EXPECT_EQ(p.model.levels.size(), 2U);
  EXPECT_EQ(p.walker, "w");
  nlohmann::json expected = all_params().to_json(p.model);
  expected["walker"] = "w";
  EXPECT_EQ(table.to_json(p), expected);
  EXPECT_EQ(table.ref_uses(p, root).size(), 4U);
  const auto tlb = ParamTable<AllParams>("with check").include(&AllParams::iotlb, tlb_params());
  EXPECT_THAT(problems_of(tlb, "ways: 3\n"),
              ElementsAre("x.yaml:1:7: ways: 3 ways do not divide 64 entries"));
}

TEST(Params, RefsInGroups) {
  const auto table = ParamTable<Outer>("outer").group("inner", &Outer::inner, all_params(), "Inner.");
  Problems problems;
  const ConfigNode root = load_config_text("inner: {memory: m, devices: [d]}\n", "x.yaml", {}, problems).root;
  const std::vector<RefUse> uses = table.ref_uses(table.load(root, problems), root);
  ASSERT_EQ(uses.size(), 2U);
  EXPECT_EQ(uses[0].param, "inner.memory");
  EXPECT_EQ(uses[1].path, "inner.devices[0]");
  EXPECT_EQ(to_string(uses[1].where), "x.yaml:1:30");
}

void expect_everywhere(const ParamSet& set, const nlohmann::json& schema, const std::string& prefix,
                       const std::string& markdown) {
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"].size(), set.params().size());
  for (const Param& param : set.params()) {
    ASSERT_TRUE(schema["properties"].contains(param.name)) << param.name;
    const nlohmann::json& entry = schema["properties"][param.name];
    EXPECT_EQ(entry["description"], param.sentence);
    EXPECT_THAT(markdown, testing::HasSubstr("| `" + prefix + param.name + "` |"));
    if (!param.group) continue;
    if (param.type == ParamType::kGroup)
      expect_everywhere(*param.group, entry, prefix + param.name + ".", markdown);
    if (param.type == ParamType::kGroups) {
      expect_everywhere(*param.group, entry["items"], prefix + param.name + "[].", markdown);
    }
    if (param.type == ParamType::kNamedGroups) {
      expect_everywhere(*param.group, entry["additionalProperties"], prefix + param.name + ".NAME.",
                        markdown);
    }
  }
}

TEST(Params, EveryParameterIsInSchemaAndDocumentation) {
  const nlohmann::json schema = all_params().set().json_schema();
  expect_everywhere(all_params().set(), schema, "", all_params().set().markdown());
  EXPECT_EQ(schema["required"].dump(), R"(["memory"])");
  EXPECT_EQ(
      schema["properties"]["iotlb"]["properties"]["entries"].dump(),
      R"({"default":128,"description":"Number of entries.","maximum":1048576,"minimum":1,"type":"integer",)"
      R"("x-source":"MODEL"})");
  EXPECT_THAT(
      all_params().set().markdown(),
      testing::HasSubstr("| `iotlb.latency` | ps | 2 ns | 1 ps to 1 ms | From request to answer. | MODEL |"));
}

TEST(Params, WrongDeclarationsDoNotPass) {
  struct P {
    unsigned a;
    std::uint8_t b;
    TlbParams tlb;
  };
  EXPECT_THROW(ParamTable<P>("x").count("a", &P::a, "0", 1, 2, "s.", ""), InternalError);
  EXPECT_THROW(ParamTable<P>("x").count("b", &P::b, "0", 0, 256, "s.", ""), InternalError);
  EXPECT_THROW(ParamTable<P>("x").count("a", &P::a, "1", 0, 2, "", ""), InternalError);
  EXPECT_THROW(
      ParamTable<P>("x").count("a", &P::a, "1", 0, 2, "s.", "").count("a", &P::a, "1", 0, 2, "s.", ""),
      InternalError);
  EXPECT_THROW(ParamTable<P>("x").group("tlb", &P::tlb, tlb_params(), "s.", {{"sets", "1"}}), InternalError);
}

}  // namespace
}  // namespace svasim
