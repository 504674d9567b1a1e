#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipit {

/// How the evaluations of a script went.
struct ScriptReport {
  int passed = 0;
  int failed = 0;
  /// Failed, but on series or results that need native histograms or start timestamps, which are not stored yet.
  int skipped = 0;
  /// `file:line: expression: what is wrong`, of the failed ones.
  std::vector<std::string> failures;
};

/// Runs a script of upstream's PromQL test language (`load`, `clear`, `eval instant`, `eval range`, `expect ...`)
/// against the engine over a store in memory. An instant evaluation is also run as a range query around its time.
/// Series with native histograms or start timestamps are left out. `name` is for messages.
ScriptReport run_script(std::string_view name, std::string_view text);

/// The same for a file; a file that can't be read counts as a failure.
ScriptReport run_script_file(const std::string& path);

}  // namespace pipit
