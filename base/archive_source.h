// The files of a data set, whether it is a folder or a compressed tar archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/spool_file.h"

namespace svasim {

// Bytes read once, front to back.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Up to `capacity` bytes; 0 only at the end. Throws InputError.
  virtual std::size_t read(char* buffer, std::size_t capacity) = 0;
};

// Members are named without their folder. An archive is read through once when it is opened, so a
// truncated or corrupted one is refused before anything is done with its contents. Members of up
// to kSpoolLimit bytes, which may stand in any order, are put aside in an unnamed temporary file;
// longer ones are decompressed again while they are read. Memory use depends on neither.
class ArchiveSource {
 public:
  static constexpr std::uint64_t kSpoolLimit = 8U << 20U;

  // Throws InputError when `path` is neither a folder nor a readable archive (tar, plain or
  // compressed with zstd, gzip, bzip2 or xz).
  explicit ArchiveSource(const std::string& path);

  const std::string& path() const { return path_; }
  // Sorted.
  std::vector<std::string> members() const;
  bool has(const std::string& member) const { return members_.count(member) != 0; }
  // "leg-strict.tar.zst/dma.trace": how messages name a member.
  std::string name_of(const std::string& member) const { return path_ + "/" + member; }

  // Throws InputError when there is no such member. The source must outlive the stream. Several
  // streams may be open at a time.
  std::unique_ptr<ByteStream> open(const std::string& member) const;

 private:
  struct Member {
    std::string full_name;  // in the archive or file system
    bool spooled = false;
    std::uint64_t offset = 0;  // in the spool file
    std::uint64_t size = 0;
  };

  void index_folder();
  void index_archive();
  void add(const std::string& full_name, Member member);

  std::string path_;
  bool is_folder_ = false;
  std::map<std::string, Member> members_;
  std::unique_ptr<SpoolFile> spool_;
};

}  // namespace svasim
