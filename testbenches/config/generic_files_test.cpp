// Every generic/X.yaml, with the --set options in X.set, gives exactly the messages in X.expected.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/params.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

struct Tlb {
  unsigned entries;
  unsigned ways;
  Ps latency;
};

struct System {
  Tlb tlb;
  std::vector<Tlb> devices;
  std::uint32_t pasid;
  std::uint64_t memory;
};

const ParamTable<System>& system_params() {
  static const ParamTable<Tlb> tlb =
      ParamTable<Tlb>("Cache")
          .count("entries", &Tlb::entries, "64", 1, 1U << 20, "Number of entries.", "MODEL")
          .count("ways", &Tlb::ways, "4", 1, 1024, "Entries of one set.", "MODEL")
          .time("latency", &Tlb::latency, "2 ns", "1 ps", "1 ms", "From request to answer.", "MODEL")
          .check([](const Tlb& p, const Complain& bad) {
            if (p.entries % p.ways != 0) {
              bad("ways",
                  std::to_string(p.ways) + " ways do not divide " + std::to_string(p.entries) + " entries");
            }
          });
  static const ParamTable<System> table =
      ParamTable<System>("System")
          .group("tlb", &System::tlb, tlb, "Cache.")
          .groups("devices", &System::devices, tlb, "Device caches.")
          .count("pasid", &System::pasid, "1", 1, kMaxPasid, "PASID, 20 bits.", "PCIE")
          .bytes("memory", &System::memory, "4 GiB", "4 KiB", "64 TiB", "Size of memory.", "MODEL");
  return table;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Tests run in the project's folder.
class GenericFile : public testing::TestWithParam<std::string> {};

TEST_P(GenericFile, GivesItsMessages) {
  fs::current_path("testbenches/config");
  const fs::path file = fs::path("generic") / (GetParam() + ".yaml");
  Problems problems;
  const Config config =
      load_config(file.string(), lines_of(fs::path(file).replace_extension(".set")), problems);
  system_params().load(config.root, problems);
  EXPECT_EQ(problems.lines(), lines_of(fs::path(file).replace_extension(".expected")));
}

std::vector<std::string> all_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator("testbenches/config/generic")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& test) { return test.param; }

INSTANTIATE_TEST_SUITE_P(Config, GenericFile, testing::ValuesIn(all_files()), name_of);

}  // namespace
}  // namespace svasim
