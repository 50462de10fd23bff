#include "sim/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "sim/text.h"

namespace svasim {

void ProgressBar::update(Ps now, const Progress& progress) {
  const auto time = Clock::now();
  if (time - drawn_ < std::chrono::milliseconds(200)) return;
  drawn_ = time;
  const double elapsed = std::chrono::duration<double>(time - start_).count();
  const double share =
      progress.total == 0
          ? 0
          : std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total));
  constexpr int kWidth = 30;
  const auto filled = static_cast<std::size_t>(share * kWidth);
  std::string line =
      fmt::format("[{}{}] {:5.1f} %  {} simulated, {} per second", std::string(filled, '#'),
                  std::string(kWidth - filled, '.'), share * 100, show_time(static_cast<double>(now)),
                  show_time(static_cast<double>(now) / elapsed));
  if (share > 0.01) line += fmt::format(", {:.0f} s left", elapsed * (1 - share) / share);
  out_ << "\r" << line << "\x1b[K" << std::flush;
  visible_ = true;
}

void ProgressBar::finish() {
  if (visible_) out_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

}  // namespace svasim
