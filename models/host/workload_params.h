// What processes do: buffers and steps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/params.h"

namespace svasim {

struct BufferParams {
  std::string name;
  std::uint64_t size;
  double resident;
  std::string content;
  bool writable;
};

inline const ParamTable<BufferParams>& buffer_params() {
  using P = BufferParams;
  static const ParamTable<P> table =
      ParamTable<P>("A buffer: an anonymous mapping of a process")
          .text("name", &P::name, "", "Steps name it by this.", "")
          .bytes("size", &P::size, "1 MiB", "4 KiB", "1 TiB", "Size, rounded up to pages.", "MODEL")
          .number("resident", &P::resident, "1", 0, 1, "Share of its pages that are in memory at the start.",
                  "MODEL")
          .choice("content", &P::content, "zero", {"zero", "random"},
                  "What pages hold before anybody writes to them: zeros, or bytes as read back from swap.",
                  "MODEL")
          .flag("writable", &P::writable, "true", "Whether the process and its devices may write.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a buffer needs a name");
          });
  return table;
}

struct StepParams {
  std::string action;
  std::string from;
  std::string to;
  std::uint64_t size;
  std::uint64_t count;
  std::string order;
  unsigned outstanding;
  std::uint64_t pattern;
  std::string place;
  Ps time;
};

inline const ParamTable<StepParams>& step_params() {
  using P = StepParams;
  static const ParamTable<P> table =
      ParamTable<P>("A step of a process")
          .choice("do", &P::action, "memmove",
                  {"memmove", "fill", "noop", "remap", "munmap", "mmap", "verify", "sleep"},
                  "memmove, fill, noop: device operations; munmap and mmap of a buffer, remap both; verify: "
                  "compare "
                  "the buffer's bytes with what they have to be; sleep. A step other than an operation "
                  "begins when "
                  "all operations before it have ended.",
                  "MODEL")
          .text("from", &P::from, "", "Source buffer of a memmove.", "MODEL")
          .text("to", &P::to, "", "Destination buffer; the buffer of munmap, mmap, remap, verify.", "MODEL")
          .bytes("size", &P::size, "4 KiB", "1 B", "2 GiB", "Bytes of one operation.", "MODEL")
          .count("count", &P::count, "1", 1, std::uint64_t{1} << 40U, "How many operations.", "MODEL")
          .choice("order", &P::order, "sequential", {"sequential", "random"},
                  "Where in the buffers operations go: one behind the other, or anywhere at multiples of 64 "
                  "bytes.",
                  "MODEL")
          .count("outstanding", &P::outstanding, "0", 0, 65535,
                 "Operations submitted and not completed; 0: as the process says.", "MODEL")
          .address("pattern", &P::pattern, "0x5AA5C33C0FF09669", "Eight bytes a fill repeats.", "MODEL")
          .choice("place", &P::place, "same", {"same", "new"},
                  "Where mmap and remap put the buffer: at its old address, or at one never used.", "MODEL")
          .time("time", &P::time, "1 us", "1 ps", "1000 s", "How long sleep sleeps.", "MODEL");
  return table;
}

struct ProcessParams {
  std::string name;
  std::string device;
  unsigned outstanding;
  bool verify_each;
  std::vector<BufferParams> buffers;
  std::vector<StepParams> steps;
};

// That every step finds its buffers, mapped or not as it needs them, and large enough.
inline void check_steps(const ProcessParams& p, const Complain& bad) {
  std::map<std::string, bool> mapped;
  std::map<std::string, std::uint64_t> sizes;
  for (const BufferParams& buffer : p.buffers) {
    if (!mapped.emplace(buffer.name, true).second)
      bad("buffers", "there are two buffers \"" + buffer.name + "\"");
    sizes[buffer.name] = buffer.size;
  }
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    const StepParams& step = p.steps[i];
    const auto complain = [&](const std::string& what) {
      bad("steps", "step " + std::to_string(i + 1) + " (" + step.action + "): " + what);
    };
    const auto need = [&](const std::string& name, bool state) {
      const auto found = mapped.find(name);
      if (found == mapped.end()) {
        complain("there is no buffer \"" + name + "\"");
        return false;
      }
      if (found->second != state) {
        complain("buffer \"" + name + "\" is " + (state ? "not mapped" : "mapped already"));
        return false;
      }
      return true;
    };
    if (step.action == "noop" || step.action == "sleep") continue;
    if (!need(step.to, step.action != "mmap")) continue;
    if (step.action == "munmap") mapped[step.to] = false;
    if (step.action == "mmap") mapped[step.to] = true;
    const bool move = step.action == "memmove";
    if (move && !need(step.from, true)) continue;
    if ((move || step.action == "fill") &&
        (step.size > sizes[step.to] || (move && step.size > sizes[step.from]))) {
      complain("an operation is larger than its buffer");
    }
  }
}

inline const ParamTable<ProcessParams>& process_params() {
  using P = ProcessParams;
  static const ParamTable<P> table =
      ParamTable<P>("A process that shares its address space with a device")
          .text("name", &P::name, "", "For messages and statistics.", "")
          .text("device", &P::device, "", "The device it binds to and submits work to.", "")
          .count("outstanding", &P::outstanding, "16", 1, 65535, "Operations submitted and not completed.",
                 "MODEL")
          .flag("verify_each", &P::verify_each, "true",
                "Compare the destination of each operation when it has completed; otherwise only in verify "
                "steps and "
                "at the end.",
                "MODEL")
          .groups("buffers", &P::buffers, buffer_params(), "Its buffers.")
          .groups("steps", &P::steps, step_params(), "What it does, one after the other.")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a process needs a name");
            check_steps(p, bad);
          });
  return table;
}

}  // namespace svasim
