// Input data that cannot be used: exit code 2.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace svasim {

// what() is "file:line: reason", without the line when it is 0.
class InputError : public std::runtime_error {
 public:
  InputError(const std::string& file, std::uint64_t line, const std::string& reason)
      : std::runtime_error(file + (line == 0 ? "" : ":" + std::to_string(line)) + ": " + reason),
        file_(file),
        line_(line),
        reason_(reason) {}

  const std::string& file() const { return file_; }
  std::uint64_t line() const { return line_; }
  const std::string& reason() const { return reason_; }

 private:
  std::string file_;
  std::uint64_t line_;
  std::string reason_;
};

}  // namespace svasim
