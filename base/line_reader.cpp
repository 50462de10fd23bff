#include "base/line_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/input_error.h"

namespace svasim {
namespace {
constexpr std::size_t kBuffer = std::size_t{1} << 16U;
}

LineReader::LineReader(std::unique_ptr<ByteStream> stream, std::string name)
    : stream_(std::move(stream)), name_(std::move(name)), buffer_(kBuffer) {}

void LineReader::fail(const std::string& reason) const { throw InputError(name_, line_, reason); }

bool LineReader::refill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) {
    ++line_;
    fail("line longer than 64 KiB");
  }
  const std::size_t count = stream_->read(buffer_.data() + end_, buffer_.size() - end_);
  end_ += count;
  return count != 0;
}

bool LineReader::next(std::string_view& line) {
  std::size_t searched = begin_;
  while (true) {
    const char* const from = buffer_.data() + searched;
    const auto* found = static_cast<const char*>(std::memchr(from, '\n', end_ - searched));
    if (found != nullptr) {
      const auto stop = static_cast<std::size_t>(found - buffer_.data());
      line = std::string_view(buffer_.data() + begin_, stop - begin_);
      begin_ = stop + 1;
      ++line_;
      if (!line.empty() && line.back() == '\r') fail("the line ends with CR LF; lines end with LF alone");
      return true;
    }
    const std::size_t pending = end_ - begin_;
    if (!refill()) {
      if (pending == 0) return false;
      ++line_;
      fail("the text ends within this line: truncated");
    }
    searched = begin_ + pending;
  }
}

}  // namespace svasim
