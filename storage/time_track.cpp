#include "storage/time_track.h"

#include <utility>

#include "storage/chunk.h"
#include "storage/coding.h"
#include "storage/tokens.h"

namespace pipit {

TimeTrack::TimeTrack(TimeTracks& tracks, TimestampMs first) : tracks_(tracks), first_(first), last_(first) {
  tracks_.bytes_ += bytes();
}

TimeTrack::~TimeTrack() { tracks_.bytes_ -= bytes(); }

void TimeTrack::append(TimestampMs time) {
  const std::uint64_t step = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(last_);
  last_ = time;
  ++count_;
  if (step == step_) {
    ++run_;
    return;
  }
  std::uint8_t buffer[kMaxTokenBytes];
  const auto* end = write_delta(write_run(buffer, std::exchange(run_, 0)), step - step_, step);
  const std::size_t before = bytes();
  tokens_.insert(tokens_.end(), static_cast<const std::uint8_t*>(buffer), end);
  tracks_.bytes_ += bytes() - before;
  step_ = step;
}

void TimeTrack::append_regular(std::uint64_t interval, std::uint32_t count) {
  if (count == 0) return;
  regular_interval_ = interval;
  regular_count_ += count;
  append(last_ + static_cast<TimestampMs>(interval));
  run_ += count - 1;
  count_ += count - 1;
  last_ += static_cast<TimestampMs>(interval * (count - 1));
}

void TimeTrack::put_times(std::string& out, std::uint32_t count) const {
  if (count == count_) {
    put_varint(out, tokens_.size());
    out.append(reinterpret_cast<const char*>(tokens_.data()), tokens_.size());
    return;
  }
  TimeTracks elsewhere;
  TimeTrack prefix(elsewhere, first_);
  prefix.append_prefix(*this, count);
  prefix.put_times(out, count);
}

void TimeTrack::append_prefix(const TimeTrack& other, std::uint32_t count) {
  std::string chunk{static_cast<char>(kFloatChunk), static_cast<char>(kListedTimes)};
  put_varint(chunk, other.count_);
  put_varint(chunk, static_cast<std::uint64_t>(other.last_) - static_cast<std::uint64_t>(other.first_));
  other.put_times(chunk, other.count_);
  chunk += '\0';  // the scale; no tokens for the values, which are all 0
  TimeColumn times;
  ValueColumn values;
  (void)decode_chunk(chunk, other.first_, times, values);  // of what that object wrote, which can't fail
  for (std::size_t i = 1; i < count; ++i) append(times[i]);
}

TimeTracks::Track TimeTracks::leave_schedule(TimestampMs first, std::uint64_t interval, std::uint32_t count,
                                             TimestampMs time) {
  const std::uint64_t mixed = (static_cast<std::uint64_t>(first) + 31 * static_cast<std::uint64_t>(time)) *
                              0x9e3779b97f4a7c15u;  // 2^64 divided by the golden ratio
  Track& recent = recent_[mixed >> 60];
  if (recent && recent->first() == first && recent->last() == time && recent->count() == count + 1 &&
      recent->regular_count() == count && recent->regular_interval() == interval) {
    return recent;
  }
  const Track track(new TimeTrack(*this, first));
  track->append_regular(interval, count - 1);
  track->append(time);
  recent = track;
  return track;
}

void TimeTracks::append(Track& track, std::uint32_t count, TimestampMs time) {
  if (track->count() == count + 1 && track->last() == time) return;
  if (track->count() != count) {
    const Track own(new TimeTrack(*this, track->first()));
    own->append_prefix(*track, count);
    track = own;
  }
  track->append(time);
}

}  // namespace pipit
