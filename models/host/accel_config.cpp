#include "models/host/accel_config.h"

#include <algorithm>
#include <set>

#include "base/config_tree.h"
#include "base/params.h"
#include "base/units.h"

namespace svasim {
namespace {

// What a file of `accel-config list` has besides: read-only, and passed over.
const std::vector<std::string> kDeviceFacts = {
    "dev",     "groups",      "ungrouped_workqueues", "ungrouped_engines", "max_groups", "max_work_queues",
    "version", "max_engines", "work_queue_size",      "numa_node",         "op_cap",     "gen_cap",
    "state",   "max_tokens",  "max_read_buffers",     "max_batch_size",    "ims_size",   "max_transfer_size",
    "clients", "errors",      "pasid_enabled",        "configurable",      "cdev_major", "iaa_cap"};
const std::vector<std::string> kGroupFacts = {"dev", "grouped_workqueues", "grouped_engines"};
const std::vector<std::string> kQueueFacts = {"dev",     "group_id",        "cdev_minor", "state",
                                              "clients", "enqcmds_retries", "occupancy"};
const std::vector<std::string> kEngineFacts = {"dev", "group_id"};

// SPEC: [DSA 3.2, 3.3]: ranges are those of the fields; what a device has of them is checked later.
const ParamTable<AccelQueue>& queue_table() {
  using P = AccelQueue;
  static const ParamTable<P> table =
      ParamTable<P>("Work queue")
          .choice("mode", &P::mode, "shared", {"shared", "dedicated"},
                  "Whether many processes submit, or one.", "ACCEL config-wq")
          .choice("type", &P::type, "none", {"none", "kernel", "user", "mdev"}, "Which drivers it is for.",
                  "ACCEL config-wq")
          .text("name", &P::name, "", "What processes call it.", "ACCEL config-wq")
          .text("driver_name", &P::driver_name, "", "The driver that takes it.", "ACCEL config-wq")
          .count("size", &P::size, "0", 0, 65535, "Its entries.", "ACCEL config-wq")
          .count("threshold", &P::threshold, "0", 0, 65535, "Entries processes can use of a shared one.",
                 "ACCEL config-wq")
          .count("priority", &P::priority, "0", 0, 15, "Its share of the engines of its group.",
                 "ACCEL config-wq")
          .count("block_on_fault", &P::block_on_fault, "0", 0, 1,
                 "Whether descriptors may wait for page faults.", "ACCEL config-wq")
          .count("ats_disable", &P::ats_disable, "0", 0, 1, "Whether it does without ATS.", "ACCEL config-wq")
          .count("prs_disable", &P::prs_disable, "0", 0, 1, "Whether it does without page requests.",
                 "ACCEL config-wq")
          // SPEC: [LINUX drivers/dma/idxd/idxd.h]: WQ_DEFAULT_MAX_XFER, WQ_DEFAULT_MAX_BATCH.
          .count("max_transfer_size", &P::max_transfer_size, "2097152", 1, std::uint64_t{1} << 31U,
                 "Largest transfer; rounded up to a power of two.", "ACCEL config-wq")
          .count("max_batch_size", &P::max_batch_size, "32", 1, 32768,
                 "Most descriptors of a batch; rounded up to a power of two.", "ACCEL config-wq")
          .text("op_config", &P::op_config, "", "Bitmap of operations it takes.", "ACCEL config-wq");
  return table;
}

const ParamTable<AccelGroup>& group_table() {
  using P = AccelGroup;
  static const ParamTable<P> table =
      ParamTable<P>("Group")
          .count("read_buffers_reserved", &P::read_buffers_reserved, "0", 0, 255, "Read buffers kept for it.",
                 "ACCEL config-group")
          .count("read_buffers_allowed", &P::read_buffers_allowed, "0", 0, 255,
                 "Read buffers it may use at once; 0: all.", "ACCEL config-group")
          .count("use_read_buffer_limit", &P::use_read_buffer_limit, "0", 0, 1,
                 "Whether the device's limit holds for it.", "ACCEL config-group")
          .count("traffic_class_a", &P::traffic_class_a, "0", 0, 7, "Traffic class A.", "ACCEL config-group")
          .count("traffic_class_b", &P::traffic_class_b, "0", 0, 7, "Traffic class B.", "ACCEL config-group")
          .count("desc_progress_limit", &P::desc_progress_limit, "0", 0, 3,
                 "Descriptors in progress: 0 all, 1 half, 2 a quarter, 3 an eighth.", "ACCEL config-group")
          .count("batch_progress_limit", &P::batch_progress_limit, "0", 0, 3,
                 "Batches in progress, likewise.", "ACCEL config-group");
  return table;
}

const ParamTable<AccelDevice>& device_table() {
  using P = AccelDevice;
  static const ParamTable<P> table =
      ParamTable<P>("Device")
          .count("read_buffer_limit", &P::read_buffer_limit, "0", 0, 255,
                 "Read buffers for slow memory at once; 0: no limit.", "ACCEL config-device")
          .count("event_log_size", &P::event_log_size, "0", 0, 65535,
                 "Entries of the event log; 0: the driver's default.", "LINUX drivers/dma/idxd")
          .check([](const P& p, const Complain& bad) {
            if (p.event_log_size != 0 && p.event_log_size < 64)
              bad("event_log_size", "has to be 64 at least");
          });
  return table;
}

// Names of older versions and what they are called now.
struct OldName {
  const char* old;
  const char* now;
};
constexpr OldName kOldNames[] = {{"token_limit", "read_buffer_limit"},
                                 {"tokens_reserved", "read_buffers_reserved"},
                                 {"tokens_allowed", "read_buffers_allowed"},
                                 {"use_token_limit", "use_read_buffer_limit"}};

ConfigNode renamed(ConfigNode node, Problems& problems) {
  for (const OldName& name : kOldNames) {
    ConfigNode::Member* old = node.find_member(name.old);
    if (old == nullptr) continue;
    if (node.find(name.now) != nullptr) {
      problems.add(old->where, old->value.path(), std::string("is the old name of '") + name.now + "'");
    }
    old->key = name.now;
  }
  return node;
}

std::optional<std::array<std::uint32_t, 8>> parse_operations(const std::string& text) {
  std::array<std::uint32_t, 8> words{};
  std::size_t word = 0;
  std::size_t end = text.size();
  // Groups of up to eight hexadecimal digits with commas between, the highest first.
  for (; end != std::string::npos && word < words.size(); ++word) {
    const std::size_t comma = end == 0 ? std::string::npos : text.rfind(',', end - 1);
    const std::size_t start = comma == std::string::npos ? 0 : comma + 1;
    std::uint64_t value = 0;
    if (end - start > 8 || !parse_unsigned("0x" + text.substr(start, end - start), value)) {
      return std::nullopt;
    }
    words[word] = static_cast<std::uint32_t>(value);
    end = comma;
  }
  return end == std::string::npos ? std::optional(words) : std::nullopt;
}

class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  AccelConfig read(const ConfigNode& root) {
    AccelConfig config;
    for (const ConfigNode& node : list(root, "devices")) {
      if (std::optional<AccelDevice> device = read_device(node)) {
        const auto same = [&](const AccelDevice& other) { return other.name == device->name; };
        if (std::any_of(config.devices.begin(), config.devices.end(), same)) {
          duplicate(node, device->name);
        } else {
          config.devices.push_back(std::move(*device));
        }
      }
    }
    return config;
  }

 private:
  // The members of a list that a key may have.
  std::vector<ConfigNode> list(const ConfigNode& node, const char* of) {
    if (node.is_list()) return node.items();
    problems_.add(node, std::string("expected a list of ") + of + ", found " + node.kind_name());
    return {};
  }
  std::vector<ConfigNode> list_at(const ConfigNode& node, const char* key, const char* of) {
    const ConfigNode* found = node.find(key);
    return found == nullptr ? std::vector<ConfigNode>{} : list(*found, of);
  }

  // "dev" of an entry; nullptr (and a problem) when there is none.
  const ConfigNode* name_of(const ConfigNode& node) {
    if (!node.is_map()) {
      problems_.add(node, std::string("expected a map, found ") + node.kind_name());
      return nullptr;
    }
    const ConfigNode* name = node.find("dev");
    if (name == nullptr) {
      problems_.add(node, "has no \"dev\": what it is about");
    } else if (!name->is_scalar() || !name->quoted()) {
      problems_.add(*name, "expected a name in quotes");
      name = nullptr;
    }
    return name;
  }

  void duplicate(const ConfigNode& node, const std::string& name) {
    problems_.add(*node.find("dev"), "'" + name + "' appears twice");
  }

  // JSON has texts in quotes and numbers without.
  void check_types(const ConfigNode& node, const std::vector<std::string>& facts,
                   const std::vector<std::string>& texts = {}) {
    const auto among = [](const std::string& key, const std::vector<std::string>& keys) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    for (const ConfigNode::Member& member : node.members()) {
      if (!member.value.is_scalar() || among(member.key, facts)) continue;
      const bool text = among(member.key, texts);
      if (text && !member.value.quoted()) problems_.add(member.value, "expected a text in quotes");
      if (!text && member.value.quoted()) problems_.add(member.value, "expected a number, without quotes");
    }
  }

  std::optional<AccelDevice> read_device(const ConfigNode& node) {
    const ConfigNode* name = name_of(node);
    if (name == nullptr) return std::nullopt;
    const std::string& text = name->text();
    std::uint64_t number = 0;
    const bool known = text.compare(0, 3, "dsa") == 0 || text.compare(0, 3, "iax") == 0;
    if (!known || !parse_unsigned(std::string_view(text).substr(3), number) || number > 9999) {
      problems_.add(*name, "'" + text + "' is no device: dsa0, dsa1, iax2, ...");
      return std::nullopt;
    }
    AccelDevice device = device_table().load(renamed(node, problems_), problems_, kDeviceFacts);
    check_types(node, kDeviceFacts);
    device.node = node;
    device.name = text;
    device.number = static_cast<unsigned>(number);
    seen_.clear();
    for (const ConfigNode& item : list_at(node, "groups", "groups")) read_group(item, device);
    for (const ConfigNode& item : list_at(node, "ungrouped_workqueues", "work queues")) {
      read_queue(item, device, std::nullopt);
    }
    for (const ConfigNode& item : list_at(node, "ungrouped_engines", "engines")) {
      read_engine(item, device, std::nullopt);
    }
    const auto by_number = [](const auto& a, const auto& b) { return a.number < b.number; };
    std::sort(device.groups.begin(), device.groups.end(), by_number);
    std::sort(device.queues.begin(), device.queues.end(), by_number);
    std::sort(device.engines.begin(), device.engines.end(), by_number);
    return device;
  }

  // Number N of "groupD.N", D the device's; nullopt (and a problem) when it is none, or was there before.
  std::optional<unsigned> number_of(const ConfigNode& node, const char* kind, const AccelDevice& device) {
    const ConfigNode* name = name_of(node);
    if (name == nullptr) return std::nullopt;
    const std::string start = kind + std::to_string(device.number) + ".";
    std::uint64_t number = 0;
    if (name->text().compare(0, start.size(), start) != 0 ||
        !parse_unsigned(std::string_view(name->text()).substr(start.size()), number) || number > 255) {
      problems_.add(*name, "'" + name->text() + "' is no " + start + "N of " + device.name);
      return std::nullopt;
    }
    if (!seen_.insert(name->text()).second) {
      duplicate(node, name->text());
      return std::nullopt;
    }
    return static_cast<unsigned>(number);
  }

  void read_group(const ConfigNode& node, AccelDevice& device) {
    const std::optional<unsigned> number = number_of(node, "group", device);
    if (!number) return;
    AccelGroup group = group_table().load(renamed(node, problems_), problems_, kGroupFacts);
    check_types(node, kGroupFacts);
    group.node = node;
    group.number = *number;
    device.groups.push_back(std::move(group));
    for (const ConfigNode& item : list_at(node, "grouped_workqueues", "work queues")) {
      read_queue(item, device, number);
    }
    for (const ConfigNode& item : list_at(node, "grouped_engines", "engines")) {
      read_engine(item, device, number);
    }
  }

  // SPEC: [ACCEL load-config]: group_id decides; the list an entry stands in only repeats it.
  std::optional<unsigned> group_of(const ConfigNode& node, std::optional<unsigned> inside) {
    const ConfigNode* given = node.find("group_id");
    std::uint64_t number = 0;
    if (given == nullptr || (given->text() == "-1" && !given->quoted())) {
      if (inside) {
        problems_.add(given != nullptr ? *given : node, "stands in group " + std::to_string(*inside) +
                                                            ", but has no \"group_id\" that says so");
      }
      return std::nullopt;
    }
    if (!given->is_scalar() || given->quoted() || !parse_unsigned(given->text(), number) || number > 255) {
      problems_.add(*given, "expected the number of a group");
      return std::nullopt;
    }
    if (inside != static_cast<unsigned>(number)) {
      problems_.add(*given, "is " + given->text() + ", but stands in " +
                                (inside ? "group " + std::to_string(*inside) : "no group"));
      return std::nullopt;
    }
    return inside;
  }

  void read_queue(const ConfigNode& node, AccelDevice& device, std::optional<unsigned> inside) {
    const std::optional<unsigned> number = number_of(node, "wq", device);
    if (!number) return;
    AccelQueue queue = queue_table().load(node, problems_, kQueueFacts);
    check_types(node, kQueueFacts, {"mode", "type", "name", "driver_name", "op_config"});
    queue.node = node;
    queue.number = *number;
    queue.group = group_of(node, inside);
    if (!queue.op_config.empty() && !queue.operations()) {
      problems_.add(*node.find("op_config"), "expected up to eight hexadecimal words with commas between");
    }
    device.queues.push_back(std::move(queue));
  }

  void read_engine(const ConfigNode& node, AccelDevice& device, std::optional<unsigned> inside) {
    const std::optional<unsigned> number = number_of(node, "engine", device);
    if (!number) return;
    struct Nothing {};
    static_cast<void>(ParamTable<Nothing>("Engine").load(node, problems_, kEngineFacts));
    device.engines.push_back({node, *number, group_of(node, inside)});
  }

  Problems& problems_;
  std::set<std::string> seen_;  // names of the device's parts
};

}  // namespace

std::optional<std::array<std::uint32_t, 8>> AccelQueue::operations() const {
  return op_config.empty() ? std::nullopt : parse_operations(op_config);
}

AccelConfig load_accel_config(const std::string& file, Problems& problems) {
  const std::size_t before = problems.size();
  const ConfigNode root = load_tree(file, problems);
  if (problems.size() != before && root.is_null()) return {};
  return Reader(problems).read(root);
}

}  // namespace svasim
