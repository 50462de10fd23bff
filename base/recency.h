// Order of use, for what is used without being looked up.
#pragma once

namespace svasim {

class Recency {
 public:
  virtual ~Recency() = default;
  // The entry in this way of this set was used.
  virtual void touch(unsigned set, unsigned way) = 0;
};

}  // namespace svasim
