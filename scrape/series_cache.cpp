#include "scrape/series_cache.h"

#include <algorithm>
#include <cstring>

#include "model/keyed_hash.h"
#include "scrape/openmetrics.h"
#include "scrape/sample_value.h"

namespace pipit {
namespace {

/// Lines of a block at most, where the page has no metadata to cut at.
constexpr std::size_t kLongestBlock = 64;

/// Whether a block begins at this line. Decided by the line alone, so that pages that share a stretch of lines cut it
/// alike: at about every fourth metric family.
bool begins_block(const ScrapedPage::Line& line) {
  return line.series != line.begin && (line.value - line.begin) % 4 == 0;
}
/// Elements that the columns keep between pages.
constexpr std::size_t kKeptElements = 1 << 15;

/// Walks over the lines of a layout.
class LayoutCursor {
 public:
  explicit LayoutCursor(const std::vector<LayoutPool::Handle>& blocks)
      : block_(blocks.data()), last_(block_ + blocks.size()) {
    enter();
  }

  bool at_end() const { return line_ == nullptr; }
  const LayoutLine& line() const { return *line_; }
  const char* text() const { return text_; }
  std::size_t index() const { return index_; }

  void next() {
    text_ += line_->length;
    ++index_;
    if (++line_ == line_end_) {
      ++block_;
      enter();
    }
  }

  /// REQUIRES: index <= number of lines.
  void seek(std::size_t index, const LayoutPool::Handle* first) {
    if (index == index_) return;
    block_ = first;
    index_ = 0;
    while (block_ != last_ && index_ + (*block_)->lines().size() <= index) index_ += (*block_++)->lines().size();
    enter();
    while (index_ < index) next();
  }

 private:
  void enter() {
    if (block_ == last_) {
      line_ = nullptr;
      return;
    }
    line_ = (*block_)->lines().data();
    line_end_ = line_ + (*block_)->lines().size();
    text_ = (*block_)->text();
  }

  const LayoutPool::Handle* block_;
  const LayoutPool::Handle* last_;
  const LayoutLine* line_ = nullptr;
  const LayoutLine* line_end_ = nullptr;
  const char* text_ = nullptr;
  std::size_t index_ = 0;
};

/// The series between `begin` and the blanks before the value at `value`.
std::string_view series_between(const char* begin, const char* value) {
  while (value > begin && (value[-1] == ' ' || value[-1] == '\t')) --value;
  return {begin, value};
}

std::size_t slot_of(std::string_view series, std::size_t mask) { return keyed_hash(series, hash_key()) & mask; }

template <class T>
void shrink_vector(std::vector<T>& v) {
  if (v.capacity() > kKeptElements) std::vector<T>().swap(v);
}

/// Whether a value may follow this byte without a doubt about where the series ends: `a.5` is a series `a`, but the
/// same bytes before the value are not `a` when `a7` follows.
bool is_set_off(char last) { return last == ' ' || last == '\t' || last == '}'; }

}  // namespace

std::string_view ScrapedPage::series_text(std::size_t i) const {
  return series_between(text.data() + lines[i].series, text.data() + lines[i].value);
}

void ScrapedPage::clear() {
  text = {};
  lines.clear();
  values.clear();
  refs.clear();
  times.clear();
  fresh.clear();
  exemplars.clear();
  metadata.clear();
  refs_changed = false;
  reordered_ = false;
  matched_ = 0;
  same_tail_ = false;
}

void ScrapedPage::shrink() {
  shrink_vector(lines);
  shrink_vector(values);
  shrink_vector(refs);
  shrink_vector(times);
  shrink_vector(fresh);
  shrink_vector(exemplars);
  shrink_vector(metadata);
  shrink_vector(seen_);
  shrink_vector(index_);
  shrink_vector(old_texts_);
  shrink_vector(old_lines_);
}

void SeriesCache::start_reordered(ScrapedPage& page) const {
  page.reordered_ = true;
  page.seen_.assign(refs_.size(), 0);
  std::fill_n(page.seen_.begin(), page.matched_, char{1});
  page.old_texts_.clear();
  page.old_lines_.clear();
  for (const auto& block : blocks_) {
    const char* text = block->text();
    for (const LayoutLine& line : block->lines()) {
      page.old_texts_.push_back(text);
      page.old_lines_.push_back(line);
      text += line.length;
    }
  }
  std::size_t slots = 16;
  while (slots < refs_.size() * 2) slots *= 2;
  page.index_.assign(slots, 0);  // index of the line + 1
  for (std::size_t i = 0; i < refs_.size(); ++i) {
    const char* text = page.old_texts_[i];
    auto series = series_between(text + page.old_lines_[i].series, text + page.old_lines_[i].length);
    std::size_t slot = slot_of(series, slots - 1);
    while (page.index_[slot] != 0) slot = (slot + 1) & (slots - 1);
    page.index_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

namespace {

/// The line of the page before with this series, or `count` when there is none.
std::size_t find_line(std::string_view series, const std::vector<std::uint32_t>& index,
                      const std::vector<const char*>& texts, const std::vector<LayoutLine>& lines) {
  const std::size_t mask = index.size() - 1;
  for (std::size_t slot = slot_of(series, mask); index[slot] != 0; slot = (slot + 1) & mask) {
    const std::size_t i = index[slot] - 1;
    if (series_between(texts[i] + lines[i].series, texts[i] + lines[i].length) == series) return i;
  }
  return lines.size();
}

// What differs between the formats, for SeriesCache::read_as.

struct TextSyntax {
  static constexpr bool kHasExemplars = false;
  static constexpr bool kEndsWithEof = false;
  static bool scan(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                   PageFault& fault) {
    return scan_series(p, end, metadata, series, fault);
  }
  static const char* value(const char* p) {
    while (*p == ' ' || *p == '\t') ++p;
    return p;
  }
  static const char* tail(const char*, const char* p, const char*, SampleTail& tail, PageFault& fault) {
    return read_sample_tail(p, tail, fault);
  }
};

struct OpenMetricsSyntax {
  static constexpr bool kHasExemplars = true;
  static constexpr bool kEndsWithEof = true;
  static bool scan(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                   PageFault& fault) {
    return scan_openmetrics_series(p, end, metadata, series, fault);
  }
  static const char* value(const char* p) { return p + 1; }
  static const char* tail(const char* series, const char* p, const char* end, SampleTail& tail, PageFault& fault) {
    const char* next = read_plain_tail(p, tail);
    return next != nullptr ? next : parse_openmetrics_tail({series, p - 1}, p, end, tail, fault);
  }
};

}  // namespace

template <class Syntax>
bool SeriesCache::read_as(std::string_view text, ScrapedPage& page, PageFault& fault) const {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* p = begin;
  LayoutCursor cursor(blocks_);
  const bool same_format = page.format == format_;  // in another one the same bytes mean something else
  SampleTail tail;
  auto offset = [begin](const char* at) { return static_cast<std::uint32_t>(at - begin); };
  while (p != end) {
    SeriesRef ref = kNoSeries;
    const char* next = nullptr;
    if (same_format && !cursor.at_end()) {
      const LayoutLine& line = cursor.line();
      if (static_cast<std::size_t>(end - p) > line.length && std::memcmp(p, cursor.text(), line.length) == 0 &&
          is_set_off(p[line.length - 1])) {
        next = Syntax::tail(p + line.series, p + line.length, end, tail, fault);
      }
      if (next != nullptr) {
        page.lines.push_back({offset(p), offset(p) + line.series, offset(p) + line.length});
        ref = refs_[cursor.index()];
        if (page.reordered_) page.seen_[cursor.index()] = 1;
        cursor.next();
        page.matched_ += page.reordered_ ? 0 : 1;
      }
    }
    if (next == nullptr) {
      if (cursor.at_end() && same_format && std::string_view(p, end) == tail_) {
        page.same_tail_ = true;
        break;
      }
      SeriesText series;
      if (!Syntax::scan(p, end, page.metadata, series, fault)) return false;
      if (series.begin == nullptr) break;
      const char* value = Syntax::value(series.end);
      next = Syntax::tail(series.begin, value, end, tail, fault);
      if (next == nullptr) return false;
      page.lines.push_back({offset(p), offset(series.begin), offset(value)});
      if (!page.reordered_) start_reordered(page);
      const std::size_t old = find_line({series.begin, series.end}, page.index_, page.old_texts_, page.old_lines_);
      if (old < refs_.size()) {
        ref = refs_[old];
        page.seen_[old] = 1;
        cursor.seek(old + 1, blocks_.data());
      } else {
        page.fresh.push_back(static_cast<std::uint32_t>(page.refs.size()));
      }
    }
    if (tail.has_time || !page.times.empty()) {
      if (page.times.empty()) page.times.assign(page.values.size(), ScrapedPage::kNoTime);
      page.times.push_back(tail.has_time ? tail.time : ScrapedPage::kNoTime);
    }
    if (Syntax::kHasExemplars && tail.has_exemplar) {
      page.exemplars.push_back({static_cast<std::uint32_t>(page.values.size()), tail.exemplar});
    }
    page.values.push_back(tail.value);
    page.refs.push_back(ref);
    p = next;
  }
  if (p != end) return true;
  page.same_tail_ = tail_.empty();
  return !Syntax::kEndsWithEof || fail_without_eof(end, fault);
}

bool SeriesCache::read(std::string_view text, PageFormat format, ScrapedPage& page, PageFault& fault) const {
  page.clear();
  page.text = text;
  page.format = format;
  return format == PageFormat::text ? read_as<TextSyntax>(text, page, fault)
                                    : read_as<OpenMetricsSyntax>(text, page, fault);
}

void SeriesCache::vanished(const ScrapedPage& page, std::vector<SeriesRef>& refs) const {
  refs.assign(orphans_.begin(), orphans_.end());
  if (page.reordered_ || page.matched_ < refs_.size()) {
    for (std::size_t i = page.reordered_ ? 0 : page.matched_; i < refs_.size(); ++i) {
      const bool gone = !page.reordered_ || page.seen_[i] == 0;
      if (gone && refs_[i] != kDroppedSeries && !is_explicit(i)) refs.push_back(refs_[i]);
    }
  }
  if (refs.empty()) return;
  // A series may have come back under another text: labels in another order, or relabelled to the same.
  std::sort(refs.begin(), refs.end());
  refs.erase(std::unique(refs.begin(), refs.end()), refs.end());
  std::vector<bool> present(refs.size());
  for (SeriesRef ref : page.refs) {
    auto found = std::lower_bound(refs.begin(), refs.end(), ref);
    if (found != refs.end() && *found == ref) present[static_cast<std::size_t>(found - refs.begin())] = true;
  }
  std::size_t i = 0;
  std::erase_if(refs, [&](SeriesRef) { return present[i++]; });
}

bool SeriesCache::commit(const ScrapedPage& page, bool track_explicit) {
  orphans_ = {};
  format_ = page.format;
  const bool changed = page.reordered_ || page.matched_ < refs_.size() || !page.same_tail_;
  if (changed) {
    rebuild(page);
  } else if (page.refs_changed) {
    std::copy(page.refs.begin(), page.refs.end(), refs_.begin());
  }
  if (track_explicit || page.times.empty()) {
    explicit_.clear();
    return changed;
  }
  explicit_.resize(page.times.size());
  for (std::size_t i = 0; i < page.times.size(); ++i) explicit_[i] = page.times[i] != ScrapedPage::kNoTime;
  return changed;
}

void SeriesCache::visit_comments(
    const std::function<bool(std::uint64_t block, std::string_view comments)>& visit) const {
  for (const auto& block : blocks_) {
    const char* text = block->text();
    // A hash of 0 would be a target's own.
    const std::uint64_t id = std::max<std::uint64_t>(1, block->hash());
    for (const LayoutLine& line : block->lines()) {
      if (line.series > 0 && !visit(id, {text, line.series})) break;
      text += line.length;
    }
  }
  if (!tail_.empty()) visit(0, tail_);
}

void SeriesCache::rebuild(const ScrapedPage& page) {
  std::vector<LayoutPool::Handle> blocks;
  std::vector<LayoutLine> lines;
  std::vector<const char*> texts;
  const char* begin = page.text.data();
  for (std::size_t i = 0; i < page.lines.size(); ++i) {
    const auto& line = page.lines[i];
    if (!lines.empty() && (begins_block(line) || lines.size() == kLongestBlock)) {
      blocks.push_back(pool_.intern(lines, texts));
      lines.clear();
      texts.clear();
    }
    lines.push_back({line.value - line.begin, line.series - line.begin});
    texts.push_back(begin + line.begin);
  }
  if (!lines.empty()) blocks.push_back(pool_.intern(lines, texts));
  blocks.shrink_to_fit();
  blocks_ = std::move(blocks);
  refs_ = std::vector<SeriesRef>(page.refs.begin(), page.refs.end());
  const char* tail = begin;
  if (!page.lines.empty()) {
    tail += page.lines.back().value;
    tail += std::string_view(tail, begin + page.text.size()).find('\n') + 1;
  }
  tail_ = std::string(tail, begin + page.text.size());
}

void SeriesCache::live(std::vector<SeriesRef>& refs) const {
  refs.assign(orphans_.begin(), orphans_.end());
  for (std::size_t i = 0; i < refs_.size(); ++i) {
    if (refs_[i] != kDroppedSeries && !is_explicit(i)) refs.push_back(refs_[i]);
  }
  std::sort(refs.begin(), refs.end());
  refs.erase(std::unique(refs.begin(), refs.end()), refs.end());
}

void SeriesCache::forget_texts() {
  std::vector<SeriesRef> orphans;
  live(orphans);
  orphans_ = std::move(orphans);
  blocks_.clear();
  refs_ = {};
  tail_ = {};
  explicit_ = {};
}

std::size_t SeriesCache::bytes() const {
  return blocks_.capacity() * sizeof(LayoutPool::Handle) + refs_.capacity() * sizeof(SeriesRef) + tail_.capacity() +
         explicit_.capacity() / 8 + orphans_.capacity() * sizeof(SeriesRef);
}

}  // namespace pipit
