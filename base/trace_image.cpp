#include "base/trace_image.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/input_error.h"

namespace svasim {
namespace {

constexpr std::string_view kMagic = "VTDPGIM1";
constexpr std::uint32_t kVersion = 1;
// SPEC: [VTD 9] Addresses in entries have at most 52 bits.
constexpr unsigned kPhysicalBits = 52;
// 4 GiB of tables; more is a corrupted count, and would be allocated.
constexpr std::uint32_t kMaxPages = 1U << 20U;

struct KindName {
  std::string_view name;
  ImagePageKind kind;
  std::uint8_t level;
};
constexpr KindName kKinds[] = {
    {"ROOT", ImagePageKind::kRoot, 0},
    {"CTX", ImagePageKind::kLegacyContext, 0},
    {"SCTX", ImagePageKind::kScalableContext, 0},
    {"PDIR", ImagePageKind::kPasidDirectory, 0},
    {"PTAB", ImagePageKind::kPasidTable, 0},
    {"SS1", ImagePageKind::kSecondStage, 1},
    {"SS2", ImagePageKind::kSecondStage, 2},
    {"SS3", ImagePageKind::kSecondStage, 3},
    {"SS4", ImagePageKind::kSecondStage, 4},
    {"SS5", ImagePageKind::kSecondStage, 5},
    {"FS1", ImagePageKind::kFirstStage, 1},
    {"FS2", ImagePageKind::kFirstStage, 2},
    {"FS3", ImagePageKind::kFirstStage, 3},
    {"FS4", ImagePageKind::kFirstStage, 4},
    {"FS5", ImagePageKind::kFirstStage, 5},
    {"IRT", ImagePageKind::kInterruptRemap, 0},
    {"IQ", ImagePageKind::kInvalidationQueue, 0},
};

std::uint64_t decode(const char* raw, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(raw[i]);
  return value;
}

// Little-endian numbers from a stream that must not end early.
class Input {
 public:
  Input(ByteStream& stream, const std::string& name) : stream_(stream), name_(name) {}

  void bytes(char* to, std::size_t count, const std::string& what) {
    std::size_t done = 0;
    while (done < count) {
      const std::size_t got = stream_.read(to + done, count - done);
      if (got == 0) fail("truncated: ends within " + what);
      done += got;
    }
  }
  std::uint64_t number(std::size_t size, const std::string& what) {
    char raw[8] = {};
    bytes(raw, size, what);
    return decode(raw, size);
  }
  void end() {
    char extra = 0;
    if (stream_.read(&extra, 1) != 0) fail("has bytes after its last page");
  }
  [[noreturn]] void fail(const std::string& reason) const { throw InputError(name_, 0, reason); }

 private:
  ByteStream& stream_;
  const std::string& name_;
};

void read_page_header(Input& input, ImagePage& page, std::size_t index, Addr& previous) {
  const std::string what = "the header of page " + std::to_string(index);
  page.address = input.number(8, what);
  char kind[9] = {};
  input.bytes(kind, 8, what);
  const std::string_view word(kind);
  // Zeros fill the rest.
  if (std::any_of(kind + word.size(), std::end(kind), [](char c) { return c != 0; }))
    input.fail("corrupted: page " + std::to_string(index) + " has no known kind");
  const auto* const found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KindName& k) { return k.name == word; });
  if (found == std::end(kKinds))
    input.fail("corrupted: page " + std::to_string(index) + " has no known kind");
  page.kind = found->kind;
  page.level = found->level;
  if ((page.address & (kPageSize - 1)) != 0) {
    input.fail("corrupted: the address of page " + std::to_string(index) + " is not aligned");
  }
  if (page.address >> kPhysicalBits != 0) {
    input.fail("corrupted: the address of page " + std::to_string(index) + " has more than 52 bits");
  }
  if (index > 0 && page.address <= previous) {
    input.fail("corrupted: page " + std::to_string(index) + " is not above the one before it");
  }
  previous = page.address;
}

}  // namespace

const ImagePage* TableImage::find(Addr page) const {
  const auto at = std::lower_bound(pages.begin(), pages.end(), page,
                                   [](const ImagePage& p, Addr address) { return p.address < address; });
  return at != pages.end() && at->address == page ? &*at : nullptr;
}

bool TableImage::read(Addr address, std::uint64_t& word) const {
  const ImagePage* const page = find(address & ~(kPageSize - 1));
  if (page == nullptr) return false;
  word = page->words[(address & (kPageSize - 1)) / 8];
  return true;
}

TableImage read_table_image(ByteStream& stream, const std::string& name) {
  Input input(stream, name);
  char magic[8] = {};
  input.bytes(magic, sizeof magic, "the header");
  if (std::string_view(magic, sizeof magic) != kMagic)
    input.fail("is not a table image: it does not start with VTDPGIM1");
  const std::uint64_t version = input.number(4, "the header");
  if (version != kVersion) input.fail("version " + std::to_string(version) + " is not supported");
  const std::uint64_t count = input.number(4, "the header");
  if (count > kMaxPages) input.fail("corrupted: announces " + std::to_string(count) + " pages");
  TableImage image;
  for (std::uint64_t* const reg :
       {&image.rtaddr, &image.cap, &image.ecap, &image.iqa, &image.irta, &image.gsts}) {
    *reg = input.number(8, "the header");
  }
  Addr previous = 0;
  for (std::size_t i = 0; i < count; ++i) {
    image.pages.emplace_back();
    read_page_header(input, image.pages.back(), i, previous);
  }
  for (std::size_t i = 0; i < count; ++i) {
    char raw[kPageSize];
    input.bytes(raw, sizeof raw, "page " + std::to_string(i));
    for (std::size_t word = 0; word < image.pages[i].words.size(); ++word) {
      image.pages[i].words[word] = decode(raw + word * 8, 8);
    }
  }
  input.end();
  return image;
}

}  // namespace svasim
