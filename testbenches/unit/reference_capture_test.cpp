// Page tables a real Linux driver wrote, translated by the reference, against the list an independent
// program made of them. The captures lie beside the source tree where they have been unpacked; two
// samples come with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/trace_dataset.h"
#include "models/formats/vtd_registers.h"
#include "models/reference/reference_translator.h"

namespace svasim {
namespace {

std::vector<std::string> captures() {
  std::vector<std::string> found;
  for (const char* folder : {"traces", "../shared/data/linux-vtd"}) {
    std::error_code none;
    for (const auto& file : std::filesystem::directory_iterator(folder, none)) {
      if (file.path().extension() == ".zst") found.push_back(file.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Capture : public testing::TestWithParam<std::string> {};

struct Leaf {
  Addr address;
  unsigned page_shift;
  std::uint64_t entry;
};

TEST_P(Capture, EveryListedMappingAndNothingBetween) {
  const TraceDataset dataset(GetParam());
  std::uint64_t leaves = 0;
  std::uint64_t holes = 0;
  unsigned images = 0;
  for (const std::string& snapshot : dataset.snapshots()) {
    if (!dataset.has_mappings(snapshot)) continue;
    ++images;
    const TableImage image = dataset.image(snapshot);
    PageMemory memory;
    for (const ImagePage& page : image.pages) memory.add_page(page.address) = page.words;
    ReferenceRegisters registers;
    registers.cap = image.cap;
    registers.ecap = image.ecap;
    registers.rtaddr = image.rtaddr;
    registers.host_address_width = 48;
    ReferenceTranslator reference(memory, registers);
    const bool first_stage = VtdEcap::FSTS::get(image.ecap) != 0;

    std::map<std::uint16_t, std::map<Addr, Leaf>> listed;
    std::map<std::uint16_t, DomainId> domains;
    MappingReader reader = dataset.mappings(snapshot);
    MappingRecord record;
    while (reader.next(record)) {
      domains[record.requester.value()] = record.domain;
      if (record.kind == MappingRecord::Kind::kLeaf) {
        listed[record.requester.value()][record.iova] = {record.address, record.page_shift, record.entry};
      }
    }
    unsigned reported = 0;
    for (const auto& [requester, table] : listed) {
      for (auto it = table.begin(); it != table.end(); ++it) {
        const auto& [iova, leaf] = *it;
        const Addr size = Addr{1} << leaf.page_shift;
        for (const bool write : {false, true}) {
          // Rights as the leaf has them; the driver leaves all rights in the tables above.
          const bool allowed =
              first_stage ? !write || (leaf.entry & 2) != 0 : (leaf.entry & (write ? 2 : 1)) != 0;
          for (const Addr offset : {Addr{0}, size - 1}) {
            ReferenceRequest request;
            request.requester = RequesterId(requester);
            request.address = iova + offset;
            request.read = !write;
            request.write = write;
            const ReferenceResult result = reference.probe(request);
            const bool right =
                result.ok == allowed &&
                (!allowed || (result.address == leaf.address + offset &&
                              result.page_shift == leaf.page_shift && result.domain == domains[requester]));
            if (!right && ++reported <= 5) {
              ADD_FAILURE() << snapshot << " " << to_string(RequesterId(requester)) << " " << std::hex
                            << request.address << (write ? " W" : " R") << ": " << fault_text(result.fault)
                            << " " << result.address << ", listed " << leaf.address << " " << std::dec
                            << unsigned{leaf.page_shift};
            }
          }
        }
        ++leaves;
        // What lies behind a page that is not followed by another one maps nothing.
        const auto next = std::next(it);
        if (next == table.end() || next->first != iova + size) {
          ReferenceRequest request;
          request.requester = RequesterId(requester);
          request.address = iova + size;
          if (reference.probe(request).ok && ++reported <= 5) {
            ADD_FAILURE() << snapshot << " " << std::hex << request.address
                          << " is not listed and translates";
          }
          ++holes;
        }
      }
    }
    EXPECT_EQ(reported, 0u) << snapshot;
  }
  EXPECT_GT(images, 0u);
  EXPECT_GT(leaves, 0u);
  RecordProperty("leaves", std::to_string(leaves));
  RecordProperty("holes", std::to_string(holes));
}

INSTANTIATE_TEST_SUITE_P(Found, Capture, testing::ValuesIn(captures()), [](const auto& test) {
  const std::filesystem::path path(test.param);
  std::string name = path.parent_path().filename().string() + "_" + path.stem().stem().string();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace svasim
