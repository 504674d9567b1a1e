#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

namespace pipit {

/// How many samples a query's steps look at, as Prometheus's `totalQueryableSamples` says: those of each window at each
/// step, one where a selector has a value, as often as a part is written, and none inside of a subquery, whose own
/// points count. So it says what a query would cost that keeps nothing, not what this engine read.
class SampleCount {
 public:
  /// What counts alike. Thread-safe.
  class Scope {
   public:
    Scope(const Scope* parent, std::uint64_t times) : parent_(parent), times_(times) {}
    void add(std::uint64_t samples) { samples_.fetch_add(samples, std::memory_order_relaxed); }
    /// It is written, or looked at, once more.
    void repeat() { ++times_; }

   private:
    friend class SampleCount;
    const Scope* parent_;
    std::uint64_t times_;
    std::atomic<std::uint64_t> samples_{0};
  };

  SampleCount() { scopes_.emplace_back(nullptr, 1); }
  SampleCount(const SampleCount&) = delete;

  /// Of what is being planned. Lives as long as this.
  Scope& current() { return *current_; }
  std::uint64_t total() const {
    std::uint64_t total = 0;
    for (const Scope& scope : scopes_) {
      std::uint64_t samples = scope.samples_.load(std::memory_order_relaxed);
      for (const Scope* s = &scope; s != nullptr; s = s->parent_) samples *= s->times_;
      total += samples;
    }
    return total;
  }

 private:
  friend class ScopedSampleCount;
  std::deque<Scope> scopes_;
  Scope* current_ = &scopes_.front();
};

/// A scope for what is planned while this lives.
class ScopedSampleCount {
 public:
  ScopedSampleCount(SampleCount& count, std::uint64_t times)
      : count_(count), scope_(count.scopes_.emplace_back(count.current_, times)), before_(count.current_) {
    count_.current_ = &scope_;
  }
  ScopedSampleCount(const ScopedSampleCount&) = delete;
  ScopedSampleCount& operator=(const ScopedSampleCount&) = delete;
  ~ScopedSampleCount() { count_.current_ = before_; }

  SampleCount::Scope& scope() { return scope_; }

 private:
  SampleCount& count_;
  SampleCount::Scope& scope_;
  SampleCount::Scope* before_;
};

}  // namespace pipit
