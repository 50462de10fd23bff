// Why the operating system refuses something. Names as in the user-space interface of Linux.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace svasim {

enum class Errno : std::uint8_t {
  kNone = 0,
  kNoEntry = 2,
  kBadFile = 9,
  kAgain = 11,
  kNoMemory = 12,
  kAccess = 13,
  kFault = 14,
  kBusy = 16,
  kExists = 17,
  kNoDevice = 19,
  kInvalid = 22,
  kNoSpace = 28,
  kSeek = 29,
  kRange = 34,
  kOverflow = 75,
  kNotSupported = 95,
};

inline constexpr std::array<std::pair<Errno, const char*>, 16> kErrnoNames = {
    {{Errno::kNone, "none"},
     {Errno::kNoEntry, "ENOENT"},
     {Errno::kBadFile, "EBADF"},
     {Errno::kAgain, "EAGAIN"},
     {Errno::kNoMemory, "ENOMEM"},
     {Errno::kAccess, "EACCES"},
     {Errno::kFault, "EFAULT"},
     {Errno::kBusy, "EBUSY"},
     {Errno::kExists, "EEXIST"},
     {Errno::kNoDevice, "ENODEV"},
     {Errno::kInvalid, "EINVAL"},
     {Errno::kNoSpace, "ENOSPC"},
     {Errno::kSeek, "ESPIPE"},
     {Errno::kRange, "ERANGE"},
     {Errno::kOverflow, "EOVERFLOW"},
     {Errno::kNotSupported, "EOPNOTSUPP"}}};

constexpr const char* errno_name(Errno error) {
  for (const auto& [value, name] : kErrnoNames) {
    if (value == error) return name;
  }
  return "unknown";
}

// What a step may have to end with; `any`: whatever it is.
inline std::vector<std::string> errno_choices() {
  std::vector<std::string> names;
  for (const auto& entry : kErrnoNames) names.emplace_back(entry.second);
  names.emplace_back("any");
  return names;
}

}  // namespace svasim
