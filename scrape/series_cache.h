#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/sample.h"
#include "scrape/page_format.h"
#include "scrape/page_layout.h"
#include "scrape/sample_value.h"
#include "scrape/text_format.h"
#include "storage/appender.h"

namespace pipit {

/// What a page says, as columns: sample i has values[i], refs[i], lines[i]. Reused from page to page, and shared by
/// all targets of a thread, so that reading allocates nothing.
struct ScrapedPage {
  /// Where a sample lies in the page.
  struct Line {
    std::uint32_t begin;   ///< the end of the sample before
    std::uint32_t series;  ///< first byte of the series
    std::uint32_t value;
  };

  struct Exemplar {
    std::uint32_t sample;
    ExemplarText text;
  };

  std::string_view text;
  PageFormat format = PageFormat::text;
  std::vector<Line> lines;
  std::vector<double> values;
  std::vector<SeriesRef> refs;       ///< kNoSeries: not seen on the page before; kDroppedSeries
  std::vector<TimestampMs> times;    ///< as written; kNoTime where not. Empty when no sample has one.
  std::vector<std::uint32_t> fresh;  ///< indices of the samples with kNoSeries
  std::vector<Exemplar> exemplars;   ///< in the order of their samples
  /// HELP, TYPE and UNIT lines that were not at their place on the page before.
  std::vector<MetadataLine> metadata;

  bool refs_changed = false;  ///< set by whoever replaces references that the store has given up

  static constexpr TimestampMs kNoTime = kMinTimestamp;

  /// The series as the page writes it.
  std::string_view series_text(std::size_t i) const;
  void clear();
  /// Gives back memory that only an unusually large page needs.
  void shrink();

 private:
  friend class SeriesCache;
  // What the page before had, laid out for lookups; only filled when the page's order differs.
  std::vector<char> seen_;
  std::vector<std::uint32_t> index_;
  std::vector<const char*> old_texts_;
  std::vector<LayoutLine> old_lines_;
  bool reordered_ = false;
  std::size_t matched_ = 0;  ///< samples that stood where they stood before, while !reordered_
  bool same_tail_ = false;
};

/// The reference of a series that metric relabelling drops.
inline constexpr SeriesRef kDroppedSeries = ~SeriesRef{0};

/// Remembers a target's page by its bytes: while a line begins as it did before, its series costs one comparison, with
/// no hash and no allocation. Series that moved are found by a hash of their text; others are new.
///
/// A page is taken over in steps, so that a bad one leaves no trace: `read`; the caller fills `refs` of `fresh`, and
/// appends; `commit`. Not thread-safe.
class SeriesCache {
 public:
  explicit SeriesCache(LayoutPool& pool) : pool_(pool) {}

  /// Reads a page. False with `fault` filled when it breaks the format. `page.text` and all views of `page` point
  /// into `text`. REQUIRES: text is empty or ends with a newline, and is under 4 GiB.
  bool read(std::string_view text, PageFormat format, ScrapedPage& page, PageFault& fault) const;

  /// The series of the page before that `page` lacks and that had no timestamps of their own.
  /// REQUIRES: `page` was read by this cache since the last commit and its refs are filled.
  void vanished(const ScrapedPage& page, std::vector<SeriesRef>& refs) const;

  /// Makes `page` the page before. With `track_explicit`, series with timestamps of their own vanish like others.
  /// Returns whether any line but for its numbers differs from the page before.
  bool commit(const ScrapedPage& page, bool track_explicit);

  /// The references of all series that had no timestamps of their own.
  void live(std::vector<SeriesRef>& refs) const;

  /// Forgets which text is which series, as after a change of relabelling. The series still count as the page before.
  void forget_texts();

  /// Calls `visit` with the comments before each line that has some, and with what follows the last line. `block`
  /// tells the lines that many targets share, 0 those that are this target's own; when `visit` returns false, the rest
  /// of the block is left out.
  void visit_comments(const std::function<bool(std::uint64_t block, std::string_view comments)>& visit) const;
  PageFormat format() const { return format_; }

  std::size_t size() const { return refs_.size(); }
  /// Without the blocks, which are shared.
  std::size_t bytes() const;

 private:
  template <class Syntax>
  bool read_as(std::string_view text, ScrapedPage& page, PageFault& fault) const;
  void start_reordered(ScrapedPage& page) const;
  bool is_explicit(std::size_t i) const { return !explicit_.empty() && explicit_[i]; }
  void rebuild(const ScrapedPage& page);

  LayoutPool& pool_;
  std::vector<LayoutPool::Handle> blocks_;
  std::vector<SeriesRef> refs_;           ///< of the lines of blocks_, one after another
  std::string tail_;                      ///< what follows the last sample
  PageFormat format_ = PageFormat::text;  ///< of the page before
  std::vector<bool> explicit_;            ///< of refs_; empty when none has a timestamp of its own
  std::vector<SeriesRef> orphans_;        ///< series whose text was forgotten
};

}  // namespace pipit
