#include "base/trace_registers.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/input_error.h"

namespace svasim {

namespace {

// The hexadecimal number that `text` begins with, and what stands behind it.
bool take_hex(std::string_view& text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

// "00000000fed90010: 0x80f00f4a 0x00004800 0x00000000 0xc7000000"; what could not be read is told in words.
// WHY not a LineReader: a monitor ends its lines with CR LF.
RegisterDump::RegisterDump(std::unique_ptr<ByteStream> stream, const std::string& name) : name_(name) {
  constexpr std::size_t kMost = 65536;
  std::string text(kMost, '\0');
  std::size_t size = 0;
  for (std::size_t got = 1; got != 0 && size < kMost; size += got)
    got = stream->read(&text[size], kMost - size);
  if (size == kMost) throw InputError(name, 0, "is longer than a dump of registers");
  std::string_view rest(text.data(), size);
  std::uint64_t first = 0;
  for (std::uint64_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    std::uint64_t address = 0;
    if (!take_hex(line, address) || line.substr(0, 2) != ": ") {
      throw InputError(name, number, "is not an address and the words there");
    }
    line.remove_prefix(2);
    if (number == 1) first = address;
    for (; line.substr(0, 2) == "0x"; address += 4) {
      line.remove_prefix(2);
      std::uint64_t word = 0;
      if (!take_hex(line, word) || word >> 32U != 0)
        throw InputError(name, number, "a word is not 0x and 8 digits");
      words_[address - first] = static_cast<std::uint32_t>(word);
      if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    }
  }
}

bool RegisterDump::read32(std::uint32_t offset, std::uint64_t& value) const {
  const auto found = words_.find(offset);
  if (found == words_.end()) return false;
  value = found->second;
  return true;
}

bool RegisterDump::read64(std::uint32_t offset, std::uint64_t& value) const {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (!read32(offset, low) || !read32(offset + 4, high)) return false;
  value = high << 32U | low;
  return true;
}

}  // namespace svasim
