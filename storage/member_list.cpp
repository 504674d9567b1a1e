#include "storage/member_list.h"

#include <algorithm>

namespace pipit {
namespace {

using Members = std::vector<MemberList::Member>;

/// Of the short list: moving it costs no more than merging it costs now and then.
constexpr std::size_t kMinRecent = 64;
constexpr std::size_t kMaxRecent = 4096;
/// Steps of a walk over all that cost as much as looking up one.
constexpr std::size_t kStepsOfSearch = 32;

template <class List>
auto place(List& members, std::uint32_t ordinal) {
  return std::lower_bound(members.begin(), members.end(), ordinal,
                          [](const MemberList::Member& m, std::uint32_t o) { return m.ordinal < o; });
}

}  // namespace

MemberList::MemberList(std::vector<Member> members) : sorted_(std::move(members)) {
  std::ranges::sort(sorted_, {}, &Member::ordinal);
  sorted_.shrink_to_fit();
}

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

std::vector<MemberList::Member> MemberList::of(std::span<const std::uint32_t> ordinals) const {
  Members members;
  members.reserve(std::min(ordinals.size(), sorted_.size() + recent_.size()));
  if (ordinals.size() > (sorted_.size() + recent_.size()) / kStepsOfSearch) {
    auto wanted = ordinals.begin();
    for (const Member& member : all()) {
      while (wanted != ordinals.end() && *wanted < member.ordinal) ++wanted;
      if (wanted != ordinals.end() && *wanted == member.ordinal) members.push_back(member);
    }
    return members;
  }
  for (const std::uint32_t ordinal : ordinals) {
    const std::uint32_t slot = find(ordinal);
    if (slot != kNoSlot) members.push_back({ordinal, slot});
  }
  return members;
}

}  // namespace pipit
