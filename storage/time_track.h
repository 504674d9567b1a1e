#pragma once

#include <array>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/sample.h"

namespace pipit {

class TimeTracks;

/// The times of samples that are not evenly spaced, as tokens of their steps. The series of one target have theirs in
/// common.
class TimeTrack : public boost::intrusive_ref_counter<TimeTrack, boost::thread_unsafe_counter> {
 public:
  TimeTrack(TimeTracks& tracks, TimestampMs first);
  TimeTrack(const TimeTrack&) = delete;
  ~TimeTrack();

  /// REQUIRES: time > that of the newest sample.
  void append(TimestampMs time);
  /// Appends `count` times, `interval` apart. REQUIRES: a track of one time.
  void append_regular(std::uint64_t interval, std::uint32_t count);
  /// Appends the times of the first `count` samples to `out` as a chunk lists them: the length of their tokens, and
  /// these. REQUIRES: count <= count().
  void put_times(std::string& out, std::uint32_t count) const;

  TimestampMs first() const { return first_; }
  TimestampMs last() const { return last_; }
  std::uint32_t count() const { return count_; }
  /// How many samples were evenly spaced at first, and how.
  std::uint32_t regular_count() const { return regular_count_; }
  std::uint64_t regular_interval() const { return regular_interval_; }

 private:
  friend class TimeTracks;

  /// Appends the first `count` times of a track that begins as this one does.
  void append_prefix(const TimeTrack& other, std::uint32_t count);
  std::size_t bytes() const { return sizeof(TimeTrack) + tokens_.capacity(); }

  TimeTracks& tracks_;
  TimestampMs first_;
  TimestampMs last_;
  std::uint64_t step_ = 0;
  std::uint64_t run_ = 0;  // times that the step was the same since, not written yet
  std::uint64_t regular_interval_ = 0;
  std::uint32_t regular_count_ = 1;
  std::uint32_t count_ = 1;
  std::vector<std::uint8_t> tokens_;
};

/// Gives open chunks whose samples have the same times the same track. Not thread-safe.
class TimeTracks {
 public:
  using Track = boost::intrusive_ptr<TimeTrack>;

  TimeTracks() = default;
  TimeTracks(const TimeTracks&) = delete;

  /// A track for `count` samples from `first` on, `interval` apart, and one at `time`, which is not.
  Track leave_schedule(TimestampMs first, std::uint64_t interval, std::uint32_t count, TimestampMs time);
  /// Appends `time` to the track of a chunk of `count` samples, unless another chunk has done so already. A chunk
  /// that missed what others got is given a track of its own.
  void append(Track& track, std::uint32_t count, TimestampMs time);

  /// Of all tracks.
  std::size_t bytes() const { return bytes_; }

 private:
  friend class TimeTrack;

  std::size_t bytes_ = 0;
  std::array<Track, 16> recent_;  // that left their schedule last; by a hash of when it began and ended
};

}  // namespace pipit
