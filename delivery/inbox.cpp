#include "delivery/inbox.h"

#include <utility>

#include "delivery/alert_book.h"

namespace pipit {

Inbox::Taken Inbox::put(std::vector<AlertNotice> notices) {
  Taken taken;
  std::lock_guard lock(mutex_);
  const bool was_empty = items_.empty();
  for (AlertNotice& notice : notices) {
    const std::size_t bytes = alert_bytes(notice.labels, notice.annotations, notice.generator_url);
    const auto known = items_.find(notice.labels);
    const std::size_t before = known == items_.end() ? 0 : known->second.bytes;
    if (bytes_ - before + bytes > limits_.bytes || (known == items_.end() && items_.size() >= limits_.alerts)) {
      ++taken.dropped;
      continue;
    }
    bytes_ += bytes - before;
    if (known != items_.end()) {
      known->second = {std::move(notice), bytes};
    } else {
      Labels labels = notice.labels;  // a map's key outlives the notice that is moved into it
      items_.emplace(std::move(labels), Item{std::move(notice), bytes});
    }
  }
  taken.first = was_empty && !items_.empty();
  return taken;
}

std::vector<AlertNotice> Inbox::take() {
  std::map<Labels, Item> items;
  {
    std::lock_guard lock(mutex_);
    items.swap(items_);
    bytes_ = 0;
  }
  std::vector<AlertNotice> notices;
  notices.reserve(items.size());
  for (auto& [labels, item] : items) notices.push_back(std::move(item.notice));
  return notices;
}

}  // namespace pipit
