#include "base/archive_source.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/input_error.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = std::size_t{1} << 16U;

std::string base_name(const std::string& name) { return fs::path(name).filename().string(); }

class FileStream : public ByteStream {
 public:
  explicit FileStream(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw InputError(path_, 0, std::strerror(errno));
  }
  ~FileStream() override { std::fclose(file_); }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  std::size_t read(char* buffer, std::size_t capacity) override {
    const std::size_t count = std::fread(buffer, 1, capacity, file_);
    if (count == 0 && std::ferror(file_) != 0) throw InputError(path_, 0, std::strerror(errno));
    return count;
  }

 private:
  std::string path_;
  std::FILE* file_;
};

// A part of the spool file; positioned reads, so that several may be open.
class SpoolStream : public ByteStream {
 public:
  SpoolStream(const SpoolFile& file, std::uint64_t offset, std::uint64_t size)
      : file_(file), offset_(offset), left_(size) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, capacity));
    const std::size_t count = file_.read(offset_, buffer, wanted);
    offset_ += count;
    left_ -= count;
    return count;
  }

 private:
  const SpoolFile& file_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

// One pass through an archive.
class ArchiveReader {
 public:
  explicit ArchiveReader(const std::string& path) : path_(path), archive_(archive_read_new()) {
    archive_read_support_filter_zstd(archive_);
    archive_read_support_filter_gzip(archive_);
    archive_read_support_filter_bzip2(archive_);
    archive_read_support_filter_xz(archive_);
    archive_read_support_format_tar(archive_);
    if (archive_read_open_filename(archive_, path.c_str(), kBlock) != ARCHIVE_OK) {
      const std::string why = reason();
      archive_read_free(archive_);
      throw InputError(path_, 0, why);
    }
  }
  ~ArchiveReader() { archive_read_free(archive_); }
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // The next regular file, or nullptr at the end.
  archive_entry* next() {
    while (true) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(archive_, &entry);
      if (status == ARCHIVE_EOF) return nullptr;
      if (status != ARCHIVE_OK) throw InputError(path_, 0, reason());
      if (archive_entry_filetype(entry) == AE_IFREG) return entry;
    }
  }

  std::size_t read(char* buffer, std::size_t capacity) {
    const la_ssize_t count = archive_read_data(archive_, buffer, capacity);
    if (count < 0) throw InputError(path_, 0, reason());
    return static_cast<std::size_t>(count);
  }

 private:
  std::string reason() const {
    const char* text = archive_error_string(archive_);
    return std::string("not a readable tar archive: ") + (text == nullptr ? "unknown error" : text);
  }

  std::string path_;
  struct archive* archive_;
};

class MemberStream : public ByteStream {
 public:
  MemberStream(const std::string& path, const std::string& full_name) : reader_(path) {
    while (true) {
      archive_entry* entry = reader_.next();
      if (entry == nullptr) throw InputError(path, 0, "has lost its member " + full_name);
      if (full_name == archive_entry_pathname(entry)) return;
    }
  }
  std::size_t read(char* buffer, std::size_t capacity) override { return reader_.read(buffer, capacity); }

 private:
  ArchiveReader reader_;
};

}  // namespace

ArchiveSource::ArchiveSource(const std::string& path) : path_(path) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (!fs::exists(status)) throw InputError(path_, 0, "no such file or folder");
  is_folder_ = fs::is_directory(status);
  if (!is_folder_ && !fs::is_regular_file(status)) {
    throw InputError(path_, 0, "is neither a file nor a folder");
  }
  is_folder_ ? index_folder() : index_archive();
}

void ArchiveSource::add(const std::string& full_name, Member member) {
  const std::string name = base_name(full_name);
  member.full_name = full_name;
  if (!members_.emplace(name, std::move(member)).second) {
    throw InputError(path_, 0, "holds more than one file named " + name);
  }
}

void ArchiveSource::index_folder() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error)) {
    if (entry.is_regular_file(error)) add(entry.path().string(), Member{});
  }
  if (error) throw InputError(path_, 0, error.message());
}

void ArchiveSource::index_archive() {
  spool_ = std::make_unique<SpoolFile>(path_);
  std::uint64_t spooled = 0;
  ArchiveReader reader(path_);
  std::array<char, kBlock> buffer;
  while (archive_entry* entry = reader.next()) {
    const std::string full_name = archive_entry_pathname(entry);
    Member member;
    member.size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
    member.spooled = archive_entry_size_is_set(entry) != 0 && member.size <= kSpoolLimit;
    member.offset = spooled;
    std::uint64_t total = 0;
    while (const std::size_t count = reader.read(buffer.data(), buffer.size())) {
      if (member.spooled) {
        spool_->write(spooled, buffer.data(), count);
        spooled += count;
      }
      total += count;
    }
    if (total != member.size) throw InputError(path_, 0, full_name + " is shorter than the archive says");
    add(full_name, std::move(member));
  }
}

std::vector<std::string> ArchiveSource::members() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

std::unique_ptr<ByteStream> ArchiveSource::open(const std::string& member) const {
  const auto found = members_.find(member);
  if (found == members_.end()) throw InputError(path_, 0, "holds no " + member);
  const Member& m = found->second;
  if (is_folder_) return std::make_unique<FileStream>(m.full_name);
  if (m.spooled) return std::make_unique<SpoolStream>(*spool_, m.offset, m.size);
  return std::make_unique<MemberStream>(path_, m.full_name);
}

}  // namespace svasim
