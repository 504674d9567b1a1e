#include "storage/member_list.h"

#include <algorithm>

namespace pipit {
namespace {

using Members = std::vector<MemberList::Member>;

/// Of the short list: moving it costs no more than merging it costs now and then.
constexpr std::size_t kMinRecent = 64;
constexpr std::size_t kMaxRecent = 4096;

/// Looks from the end, in steps that double: a start and a deploy ask for series in about the order of their making.
template <class List>
auto place(List& members, std::uint32_t ordinal) {
  auto end = members.end();
  for (std::ptrdiff_t step = 1; end - members.begin() >= step; step *= 2) {
    if ((end - step)->ordinal < ordinal) {
      return std::lower_bound(end - step + 1, end, ordinal,
                              [](const MemberList::Member& m, std::uint32_t o) { return m.ordinal < o; });
    }
    end -= step;
  }
  return std::lower_bound(members.begin(), end, ordinal,
                          [](const MemberList::Member& m, std::uint32_t o) { return m.ordinal < o; });
}

}  // namespace

std::uint32_t MemberList::find(std::uint32_t ordinal) const {
  auto member = place(sorted_, ordinal);
  if (member != sorted_.end() && member->ordinal == ordinal) return member->slot;
  member = place(recent_, ordinal);
  return member != recent_.end() && member->ordinal == ordinal ? member->slot : kNoSlot;
}

void MemberList::insert(std::uint32_t ordinal, std::uint32_t slot) {
  if (sorted_.empty() || sorted_.back().ordinal < ordinal) {
    sorted_.push_back({ordinal, slot});
    return;
  }
  auto member = place(sorted_, ordinal);
  if (member->ordinal == ordinal) {
    member->slot = slot;
    --holes_;
    return;
  }
  recent_.insert(place(recent_, ordinal), {ordinal, slot});
  if (recent_.size() <= std::min(kMaxRecent, kMinRecent + sorted_.size() / 64)) return;
  sorted_ = all();
  recent_ = {};
  holes_ = 0;
}

void MemberList::remove(std::uint32_t ordinal) {
  auto member = place(sorted_, ordinal);
  if (member == sorted_.end() || member->ordinal != ordinal) {
    recent_.erase(place(recent_, ordinal));
    return;
  }
  member->slot = kNoSlot;
  ++holes_;
  if (holes_ <= kMinRecent + sorted_.size() / 2) return;
  sorted_ = all();
  recent_ = {};
  holes_ = 0;
}

std::vector<MemberList::Member> MemberList::all() const {
  Members members;
  members.reserve(sorted_.size() - holes_ + recent_.size());
  auto late = recent_.begin();
  for (const Member& member : sorted_) {
    if (member.slot == kNoSlot) continue;
    for (; late != recent_.end() && late->ordinal < member.ordinal; ++late) members.push_back(*late);
    members.push_back(member);
  }
  members.insert(members.end(), late, recent_.end());
  return members;
}

}  // namespace pipit
