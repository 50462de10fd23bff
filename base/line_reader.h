// Lines of a byte stream, without copying or allocating per line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive_source.h"

namespace svasim {

class LineReader {
 public:
  // `name` is used in messages.
  LineReader(std::unique_ptr<ByteStream> stream, std::string name);

  // The next line without its end, valid until the next call; false at the end. Throws InputError
  // when the text ends within a line, a line ends with CR LF, or is longer than 64 KiB.
  bool next(std::string_view& line);

  // Of the line returned last, from 1.
  std::uint64_t line() const { return line_; }
  const std::string& name() const { return name_; }

  // Throws InputError for the line returned last.
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  bool refill();

  std::unique_ptr<ByteStream> stream_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t line_ = 0;
};

}  // namespace svasim
