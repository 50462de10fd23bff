// Invariants of the program itself, active in every build. A fault of the simulated world is data
// and never comes through here.
#pragma once

#include <stdexcept>
#include <string>

namespace svasim {

// A defect of svasim: exit code 3.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* file, int line, const char* condition, const std::string& what);

}  // namespace svasim

// SVASIM_CHECK(condition, "what it means when it fails")
#define SVASIM_CHECK(condition, what)                                          \
  do {                                                                         \
    if (__builtin_expect(!(condition), 0)) {                                   \
      ::svasim::fail_check(__FILE__, __LINE__, #condition, std::string(what)); \
    }                                                                          \
  } while (false)
