// Work of which one piece is done after the other: by one CPU, or under one lock.
#pragma once

#include <deque>
#include <functional>
#include <utility>

namespace svasim {

class SerialWork {
 public:
  using Task = std::function<void()>;
  // Ends by calling `done`, at once or later.
  using Piece = std::function<void(Task done)>;

  void add(Piece piece) {
    pieces_.push_back(std::move(piece));
    if (!busy_) next();
  }
  bool busy() const { return busy_; }

 private:
  void next() {
    busy_ = !pieces_.empty();
    if (!busy_) return;
    const Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    piece([this] { next(); });
  }

  std::deque<Piece> pieces_;
  bool busy_ = false;
};

}  // namespace svasim
