#include "model/relabel.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace pipit {

namespace {

/// Prometheus takes the last eight bytes of the MD5 sum as a big-endian number; sharding set-ups rely on it.
std::uint64_t md5_tail(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr);
  std::uint64_t tail = 0;
  for (unsigned i = 8; i < 16; ++i) tail = tail << 8 | digest[i];
  return tail;
}

std::string to_case(std::string_view text, bool upper) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [upper](char c) {
    const bool changes = upper ? (c >= 'a' && c <= 'z') : (c >= 'A' && c <= 'Z');
    return changes ? static_cast<char>(c ^ 0x20) : c;
  });
  return out;
}

std::string join_sources(const Labels& labels, const RelabelConfig& step) {
  std::string joined;
  for (std::size_t i = 0; i < step.source_labels.size(); ++i) {
    if (i > 0) joined += step.separator;
    joined += labels.get(step.source_labels[i]);
  }
  return joined;
}

void replace(Labels& labels, const RelabelConfig& step, std::string_view source) {
  std::string target;
  if (!step.regex.full_match_expand(source, step.target_label, target)) return;
  if (target.empty() || !is_valid_utf8(target)) return;
  std::string value;
  step.regex.full_match_expand(source, step.replacement, value);
  labels.set(target, value);
}

void map_labels(Labels& labels, const RelabelConfig& step) {
  std::vector<Label> mapped;
  for (const auto& label : labels) {
    std::string name;
    if (step.regex.full_match_expand(label.name, step.replacement, name)) mapped.push_back({name, label.value});
  }
  for (const auto& label : mapped) labels.set(label.name, label.value);
}

void filter_labels(Labels& labels, const RelabelConfig& step, bool drop_matching) {
  std::vector<Label> kept;
  for (const auto& label : labels) {
    if (step.regex.full_match(label.name) != drop_matching) kept.push_back(label);
  }
  labels = Labels(std::move(kept));
}

bool apply(Labels& labels, const RelabelConfig& step) {
  const std::string source = join_sources(labels, step);
  switch (step.action) {
    case RelabelAction::keep:
      return step.regex.full_match(source);
    case RelabelAction::drop:
      return !step.regex.full_match(source);
    case RelabelAction::keepequal:
      return labels.get(step.target_label) == source;
    case RelabelAction::dropequal:
      return labels.get(step.target_label) != source;
    case RelabelAction::replace:
      replace(labels, step, source);
      return true;
    case RelabelAction::lowercase:
    case RelabelAction::uppercase:
      labels.set(step.target_label, to_case(source, step.action == RelabelAction::uppercase));
      return true;
    case RelabelAction::hashmod:
      labels.set(step.target_label, std::to_string(md5_tail(source) % step.modulus));
      return true;
    case RelabelAction::labelmap:
      map_labels(labels, step);
      return true;
    case RelabelAction::labeldrop:
    case RelabelAction::labelkeep:
      filter_labels(labels, step, step.action == RelabelAction::labeldrop);
      return true;
  }
  return true;
}

}  // namespace

bool relabel(Labels& labels, std::span<const RelabelConfig> steps) {
  return std::all_of(steps.begin(), steps.end(), [&](const RelabelConfig& step) { return apply(labels, step); });
}

}  // namespace pipit
