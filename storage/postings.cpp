#include "storage/postings.h"

#include <algorithm>
#include <iterator>

namespace pipit {

namespace {

/// A shorter run is written as steps of one byte each.
constexpr std::uint32_t kMinRun = 3;

/// Adds a run behind all others; it may touch or overlap the last one.
void append_run(PostingRuns& runs, PostingRun run) {
  if (!runs.empty() && run.first <= std::uint64_t{runs.back().last} + 1) {
    runs.back().last = std::max(runs.back().last, run.last);
  } else {
    runs.push_back(run);
  }
}

}  // namespace

std::string encode_postings(const PostingRuns& runs, char what) {
  std::string bytes(1, what);
  std::uint32_t last = 0;
  for (const PostingRun& run : runs) {
    put_varint(bytes, run.first - last);
    last = run.last;
    if (const std::uint32_t more = run.last - run.first; more >= kMinRun) {
      put_varint(bytes, 0);
      put_varint(bytes, more);
    } else {
      bytes.append(more, 1);
    }
  }
  return bytes;
}

std::string encode_postings(const Postings& postings, char what) { return encode_postings(runs_of(postings), what); }

bool decode_postings(std::string_view bytes, std::uint64_t end, Postings& postings) {
  postings.clear();
  postings.reserve(bytes.size());
  bool bounded = true;
  const bool good = visit_runs(bytes, [&](std::uint32_t first, std::uint32_t last) {
    bounded = bounded && last < end;
    for (std::uint64_t number = first; bounded && number <= last; ++number) {
      postings.push_back(static_cast<std::uint32_t>(number));
    }
  });
  return good && bounded;
}

bool merge_postings(PostingRuns& into, std::string_view operand) {
  PostingRuns runs;
  if (!unite_stored(runs, operand)) return false;
  if (operand[0] == kPostingsAdd) {
    unite(into, runs);
  } else {
    subtract(into, runs);
  }
  return true;
}

bool unite_stored(PostingRuns& into, std::string_view bytes) { return unite_stored(into, bytes, {0, 0xffffffff}); }

bool unite_stored(PostingRuns& into, std::string_view bytes, const PostingRun& range) {
  PostingRuns runs;
  const bool good = visit_runs(bytes, [&](std::uint32_t first, std::uint32_t last) {
    if (first <= range.last && last >= range.first) {
      append_run(runs, {std::max(first, range.first), std::min(last, range.last)});
    }
  });
  if (good) unite(into, runs);
  return good;
}

void unite(PostingRuns& into, const PostingRuns& other) {
  if (other.empty() || into == other) return;
  if (into.empty() || into.back().last < other.front().first) {  // nearly always, as new series come last
    for (const PostingRun& run : other) append_run(into, run);
    return;
  }
  PostingRuns result;
  result.reserve(into.size() + other.size());
  std::size_t a = 0;
  std::size_t b = 0;
  while (a < into.size() || b < other.size()) {
    const bool take_first = b == other.size() || (a < into.size() && into[a].first <= other[b].first);
    append_run(result, take_first ? into[a++] : other[b++]);
  }
  into = std::move(result);
}

void subtract(PostingRuns& from, const PostingRuns& other) {
  PostingRuns result;
  auto hole = other.begin();
  for (PostingRun run : from) {
    while (hole != other.end() && hole->last < run.first) ++hole;
    bool rest = true;
    for (; rest && hole != other.end() && hole->first <= run.last; rest = rest && run.first <= run.last) {
      if (run.first < hole->first) result.push_back({run.first, hole->first - 1});
      rest = hole->last < run.last;
      if (!rest) break;
      run.first = hole->last + 1;
      ++hole;
    }
    if (rest) result.push_back(run);
  }
  from = std::move(result);
}

void add_number(PostingRuns& runs, std::uint32_t number) { append_run(runs, {number, number}); }

bool contains(const PostingRuns& runs, std::uint32_t number) {
  const auto run = std::lower_bound(runs.begin(), runs.end(), number,
                                    [](const PostingRun& r, std::uint32_t n) { return r.last < n; });
  return run != runs.end() && run->first <= number;
}

std::uint64_t count_of(const PostingRuns& runs) {
  std::uint64_t count = 0;
  for (const PostingRun& run : runs) count += std::uint64_t{run.last} - run.first + 1;
  return count;
}

std::uint64_t count_common(const PostingRuns& runs, const PostingRuns& others) {
  std::uint64_t count = 0;
  for (std::size_t a = 0, b = 0; a < runs.size() && b < others.size();) {
    const std::uint32_t first = std::max(runs[a].first, others[b].first);
    const std::uint32_t last = std::min(runs[a].last, others[b].last);
    if (first <= last) count += std::uint64_t{last} - first + 1;
    if (runs[a].last < others[b].last) {
      ++a;
    } else {
      ++b;
    }
  }
  return count;
}

PostingRuns runs_of(const Postings& postings) {
  PostingRuns runs;
  for (const std::uint32_t number : postings) append_run(runs, {number, number});
  return runs;
}

Postings numbers_of(const PostingRuns& runs) {
  Postings numbers;
  numbers.reserve(count_of(runs));
  for (const PostingRun& run : runs) {
    for (std::uint64_t number = run.first; number <= run.last; ++number) {
      numbers.push_back(static_cast<std::uint32_t>(number));
    }
  }
  return numbers;
}

void intersect(Postings& into, const PostingRuns& other) {
  auto run = other.begin();
  std::erase_if(into, [&](std::uint32_t number) {
    while (run != other.end() && run->last < number) ++run;
    return run == other.end() || number < run->first;
  });
}

void unite(Postings& into, const Postings& other) {
  if (other.empty()) return;
  if (into.empty() || into.back() < other.front()) {
    into.insert(into.end(), other.begin(), other.end());
    return;
  }
  Postings result;
  result.reserve(into.size() + other.size());
  std::set_union(into.begin(), into.end(), other.begin(), other.end(), std::back_inserter(result));
  into = std::move(result);
}

void intersect(Postings& into, const Postings& other) {
  auto end = std::set_intersection(into.begin(), into.end(), other.begin(), other.end(), into.begin());
  into.erase(end, into.end());
}

void subtract(Postings& from, const Postings& other) {
  auto end = std::set_difference(from.begin(), from.end(), other.begin(), other.end(), from.begin());
  from.erase(end, from.end());
}

}  // namespace pipit
