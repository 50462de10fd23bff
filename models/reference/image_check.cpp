#include "models/reference/image_check.h"

#include <fmt/format.h>

#include "models/formats/vtd_registers.h"
#include "models/reference/reference_translator.h"

namespace svasim {
namespace {

constexpr std::size_t kMaxTexts = 10;

void load(const TableImage& image, PageMemory& memory) {
  for (const ImagePage& page : image.pages) memory.add_page(page.address) = page.words;
}

ReferenceRegisters registers_of(const TableImage& image) {
  ReferenceRegisters registers;
  registers.cap = image.cap;
  registers.ecap = image.ecap;
  registers.rtaddr = image.rtaddr;
  registers.translation_enabled = VtdGsts::TES::get(image.gsts) != 0;
  // The image does not say; captures are of machines with less memory than that.
  registers.host_address_width = static_cast<unsigned>(VtdCap::MGAW::get(image.cap)) + 1;
  return registers;
}

// One byte of the mapping.
bool resolves(const ReferenceTranslator& translator, const MappingRecord& m, std::uint64_t offset,
              bool write) {
  ReferenceRequest request;
  request.requester = m.requester;
  // Captured requests are plain; in scalable mode the PASID listed is the RID_PASID.
  request.has_pasid = m.has_pasid && m.pasid.value() != 0;
  request.pasid = m.pasid;
  request.address = m.iova + offset;
  request.read = !write;
  request.write = write;
  const ReferenceResult result = translator.probe(request);
  return result.ok && result.address == m.address + offset && result.page_shift == m.page_shift &&
         result.domain == m.domain;
}

}  // namespace

ImageCheck check_image(const TableImage& image, MappingReader& mappings, const std::string& name) {
  PageMemory memory;
  load(image, memory);
  const ReferenceRegisters registers = registers_of(image);
  const ReferenceTranslator translator(memory, registers);
  ImageCheck check;
  MappingRecord m;
  while (mappings.next(m)) {
    if (m.kind != MappingRecord::Kind::kLeaf) continue;
    ++check.mappings;
    const std::uint64_t last = (std::uint64_t{1} << m.page_shift) - 1;
    // Each right of the leaf has to hold through the entries above it, which grant everything. "RW-" or
    // "PWUAD".
    const bool read = m.flags.find_first_of("RP") != std::string_view::npos;
    const bool write = m.flags.find('W') != std::string_view::npos;
    const auto both_ends = [&](bool writes) {
      return resolves(translator, m, 0, writes) && resolves(translator, m, last, writes);
    };
    if ((read || write) && (!read || both_ends(false)) && (!write || both_ends(true))) {
      ++check.resolved;
    } else if (check.texts.size() < kMaxTexts) {
      check.texts.push_back(fmt::format("{}:{}: {} at {:#x} does not lead to {:#x} with a page of 2^{} bytes",
                                        name, mappings.line(), to_string(m.requester), m.iova, m.address,
                                        m.page_shift));
    }
  }
  return check;
}

}  // namespace svasim
