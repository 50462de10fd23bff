// A temporary file without a name: it goes when its owner does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace svasim {

class SpoolFile {
 public:
  // `purpose` is named when the file cannot be created or used (InputError).
  explicit SpoolFile(std::string purpose);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Bytes never written before the end of the file read as zeros.
  void write(std::uint64_t offset, const void* data, std::size_t length);
  // Up to `length` bytes; fewer only at the end of the file.
  std::size_t read(std::uint64_t offset, void* data, std::size_t length) const;

 private:
  std::string purpose_;
  int descriptor_;
};

}  // namespace svasim
