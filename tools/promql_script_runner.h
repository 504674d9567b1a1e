#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "model/result.h"
#include "tools/promql_script.h"
#include "tools/promql_script_check.h"

namespace pipit {

/// How one evaluation of a script went.
struct ScriptOutcome {
  enum class Kind { passed, failed, skipped } kind = Kind::passed;
  int line = 0;
  std::string expr;
  /// How it was evaluated when that was in another way than the script's: `as a range query`.
  std::string variant;
  std::optional<Mismatch> mismatch;  ///< of all that did not pass
  /// What of its series or results can't be stored yet, as a class: "selects native histograms". Those that pass
  /// nevertheless have one too.
  std::string needs;
  /// Native histograms were left out of what is expected.
  bool expects_histograms = false;
};

struct ScriptReport {
  std::string file;
  std::vector<ScriptOutcome> outcomes;
  std::size_t count(ScriptOutcome::Kind kind) const;
};

/// Runs a script on a store in a temporary folder, which is removed afterwards. `file` is for messages.
///
/// Settings are upstream's: lookback 5m, at most 10,000 samples a query, subqueries' default step 1m. As upstream
/// does it, an instant evaluation is also run as the middle of a range query, and again with `@` at all its selectors,
/// which must give the same at any other time.
///
/// Series lines with native histograms or start timestamps are left out, of what is loaded and of what is expected. An
/// evaluation that fails and needs them is skipped.
///
/// Errors: bad_data when the script can't be read (`file:line: what is wrong`), unavailable or internal when the store
/// can't be used, canceled when `canceled` was set meanwhile.
Result<ScriptReport> run_promql_script(const std::string& file, std::string_view text,
                                       const std::atomic<bool>* canceled = nullptr);

/// The same for a file, which is its own name. bad_data when it can't be opened.
Result<ScriptReport> run_promql_script_file(const std::string& path, const std::atomic<bool>* canceled = nullptr);

}  // namespace pipit
