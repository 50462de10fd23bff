// What a replay of a capture has to prove.
#pragma once

#include <string>

#include "base/trace_dataset.h"
#include "models/reference/image_check.h"
#include "models/traffic/replay_report.h"
#include "sim/checks.h"

namespace svasim {

// Every mapping that another program found in the captured images, those behind the END marker
// included, against the reference translator. Throws InputError.
ImageCheck check_images(const TraceDataset& dataset);

// Mismatches have to be 0; explained differences stand beside them under their own names.
void add_replay_checks(const std::string& name, const ReplayReport& report, const ImageCheck& images,
                       RunChecks& checks);

}  // namespace svasim
