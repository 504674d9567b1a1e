// Source of the rules: Alertmanager 0.28, dispatch/route.go and dispatch/dispatch.go.

#include "delivery/route.h"

#include <algorithm>

namespace pipit {
namespace {

/// Whether the route takes the alert, which is then told by it or by those below it.
bool collect(const RouteConfig& route, const Labels& labels, std::vector<const RouteConfig*>& found) {
  if (!all_match(route.matchers, labels)) return false;
  const std::size_t before = found.size();
  for (const RouteConfig& child : route.routes) {
    if (collect(child, labels, found) && !child.continues) break;
  }
  if (found.size() == before) found.push_back(&route);
  return true;
}

}  // namespace

bool all_match(const std::vector<Matcher>& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.matches(labels.get(matcher.name())); });
}

std::vector<const RouteConfig*> matching_routes(const RouteConfig& root, const Labels& labels) {
  std::vector<const RouteConfig*> found;
  collect(root, labels, found);
  return found;
}

Labels group_labels(const RouteConfig& route, const Labels& labels) {
  if (route.group_by_all) return labels;
  std::vector<Label> kept;
  for (const std::string& name : route.group_by) {
    if (const std::string_view value = labels.get(name); !value.empty()) kept.push_back({name, std::string(value)});
  }
  return Labels(std::move(kept));
}

std::string label_set_text(const Labels& labels) {
  std::string out = "{";
  for (const Label& label : labels) {
    if (out.size() > 1) out += ", ";
    out.append(label.name).push_back('=');
    append_quoted(out, label.value);
  }
  out += '}';
  return out;
}

}  // namespace pipit
