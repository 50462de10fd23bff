#include "base/spool_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/input_error.h"

namespace svasim {

SpoolFile::SpoolFile(std::string purpose) : purpose_(std::move(purpose)) {
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "svasim-XXXXXX").string();
  descriptor_ = error ? -1 : ::mkstemp(name.data());
  if (descriptor_ < 0) throw InputError(purpose_, 0, "cannot create a temporary file for it");
  ::unlink(name.c_str());
}

SpoolFile::~SpoolFile() { ::close(descriptor_); }

void SpoolFile::write(std::uint64_t offset, const void* data, std::size_t length) {
  const char* from = static_cast<const char*>(data);
  while (length > 0) {
    const ssize_t count = ::pwrite(descriptor_, from, length, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw InputError(purpose_, 0, std::string("temporary file: ") + std::strerror(errno));
    from += count;
    offset += static_cast<std::uint64_t>(count);
    length -= static_cast<std::size_t>(count);
  }
}

std::size_t SpoolFile::read(std::uint64_t offset, void* data, std::size_t length) const {
  ssize_t count = 0;
  do {
    count = ::pread(descriptor_, data, length, static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw InputError(purpose_, 0, std::string("temporary file: ") + std::strerror(errno));
  return static_cast<std::size_t>(count);
}

}  // namespace svasim
