// Source of members, order and wordings: Alertmanager 0.28, api/v2. Answers were compared with 0.25.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/delivery_answer.h"
#include "api/delivery_handlers.h"
#include "api/json_writer.h"
#include "model/duration.h"

namespace pipit {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSilenceBody = 256u << 10;

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (i == 8 || i == 13 || i == 18 || i == 23 ? c != '-' : !hex) return false;
  }
  return true;
}

HttpResponse not_a_uuid(std::string_view id) {
  std::string message = "silenceID in path must be of type uuid: ";
  append_quoted(message, id.substr(0, 100));
  return coded_answer(422, kInvalidType, message);
}

void append_silence(std::string& out, const Silence& silence, TimestampMs now) {
  out.append(R"({"id":)");
  append_json_string(out, silence.id);
  out.append(R"(,"status":{"state":")").append(silence_state_name(silence.state(now)));
  out.append(R"("},"updatedAt":")").append(format_rfc3339(silence.updated_at)).append(R"(","comment":)");
  append_json_string(out, silence.comment);
  out.append(R"(,"createdBy":)");
  append_json_string(out, silence.created_by);
  out.append(R"(,"endsAt":")").append(format_rfc3339(silence.ends_at)).append(R"(","matchers":[)");
  bool first = true;
  for (const Matcher& matcher : silence.matchers) {
    if (!std::exchange(first, false)) out.push_back(',');
    const bool equal = matcher.type() == MatchType::equal || matcher.type() == MatchType::regex;
    const bool regex = matcher.type() == MatchType::regex || matcher.type() == MatchType::not_regex;
    out.append(equal ? R"({"isEqual":true)" : R"({"isEqual":false)");
    out.append(regex ? R"(,"isRegex":true,"name":)" : R"(,"isRegex":false,"name":)");
    append_json_string(out, matcher.name());
    out.append(R"(,"value":)");
    append_json_string(out, matcher.value());
    out.push_back('}');
  }
  out.append(R"(],"startsAt":")").append(format_rfc3339(silence.starts_at)).append("\"}");
}

/// Those in force by which ends first, those to come by which begins first, those that are over by which ended last.
void sort_silences(std::vector<Silence>& silences, TimestampMs now) {
  const auto rank = [now](const Silence& silence) -> std::pair<int, TimestampMs> {
    switch (silence.state(now)) {
      case SilenceState::active:
        return {0, silence.ends_at};
      case SilenceState::pending:
        return {1, silence.starts_at};
      case SilenceState::expired:
        break;
    }
    return {2, -silence.ends_at};
  };
  std::stable_sort(silences.begin(), silences.end(),
                   [&](const Silence& a, const Silence& b) { return rank(a) < rank(b); });
}

/// Whether the silence has all matchers of the filter, as they are.
bool is_wanted(const Silence& silence, const std::vector<Matcher>& filter) {
  return std::all_of(filter.begin(), filter.end(), [&](const Matcher& wanted) {
    return std::find(silence.matchers.begin(), silence.matchers.end(), wanted) != silence.matchers.end();
  });
}

// ---- reading ---------------------------------------------------------------------------------------------------

/// Reads a silence's members, in the order in which Alertmanager complains of them. The answer of the first that is
/// wrong, or nothing.
class SilenceReader {
 public:
  explicit SilenceReader(const json& body) : body_(body) {}

  /// False: `refusal` says why.
  bool read(Silence& silence) {
    if (!body_.is_object()) return refuse_shape("it is no object");
    return read_id(silence.id) && read_text("comment", silence.comment) && read_text("createdBy", silence.created_by) &&
           read_time("endsAt", silence.ends_at) && read_matchers(silence.matchers) &&
           read_time("startsAt", silence.starts_at);
  }
  HttpResponse take_refusal() { return std::move(refusal_); }

 private:
  bool refuse(HttpResponse refusal) {
    refusal_ = std::move(refusal);
    return false;
  }
  bool refuse_shape(const std::string& why) {
    return refuse(coded_answer(400, 400, "parsing silence body from \"\" failed, because " + why));
  }
  bool refuse_missing(const std::string& what) {
    return refuse(coded_answer(422, kRequired, what + " in body is required"));
  }

  bool read_id(std::string& id) {
    const auto found = body_.find("id");
    if (found == body_.end() || found->is_null()) return true;
    if (!found->is_string()) return refuse_shape("id is no string");
    id = found->get<std::string>();
    return true;
  }
  bool read_text(const char* member, std::string& text) {
    const auto found = body_.find(member);
    if (found == body_.end() || found->is_null()) return refuse_missing(member);
    if (!found->is_string()) return refuse_shape(std::string(member) + " is no string");
    text = found->get<std::string>();
    return true;
  }
  bool read_time(const char* member, TimestampMs& time) {
    std::string text;
    if (!read_text(member, text)) return false;
    const auto parsed = parse_json_time(text);
    if (!parsed.ok()) return refuse_shape(parsed.error().message);
    time = *parsed;
    return true;
  }
  bool read_matchers(std::vector<Matcher>& matchers) {
    const auto found = body_.find("matchers");
    if (found == body_.end() || found->is_null()) return refuse_missing("matchers");
    if (!found->is_array()) return refuse_shape("matchers is no array");
    if (found->empty()) return refuse(coded_answer(422, kTooFewItems, "matchers in body should have at least 1 items"));
    for (std::size_t i = 0; i < found->size(); ++i) {
      if (!read_matcher((*found)[i], i, matchers)) return false;
    }
    return true;
  }
  bool read_matcher(const json& item, std::size_t number, std::vector<Matcher>& matchers) {
    const std::string place = "matchers." + std::to_string(number) + ".";
    if (!item.is_object()) return refuse_shape("a matcher is no object");
    for (const char* member : {"isRegex", "name", "value"}) {
      const auto found = item.find(member);
      if (found == item.end() || found->is_null()) return refuse_missing(place + member);
      if (std::string_view(member) == "isRegex" ? !found->is_boolean() : !found->is_string()) {
        return refuse_shape(place + member + " is of another type");
      }
    }
    const auto is_equal = item.find("isEqual");
    const bool said = is_equal != item.end() && !is_equal->is_null();
    if (said && !is_equal->is_boolean()) return refuse_shape(place + "isEqual is of another type");
    const bool equal = !said || is_equal->get<bool>();
    const bool regex = item["isRegex"].get<bool>();
    const MatchType type =
        regex ? (equal ? MatchType::regex : MatchType::not_regex) : (equal ? MatchType::equal : MatchType::not_equal);
    const std::string wrong = "invalid silence: invalid label matcher " + std::to_string(number) + ": ";
    std::string name = item["name"].get<std::string>();
    if (name.empty()) return refuse(message_answer(400, wrong + "invalid label name \"\""));
    std::string value = item["value"].get<std::string>();
    std::string quoted;
    append_quoted(quoted, value);
    auto matcher = Matcher::make(type, std::move(name), std::move(value));
    if (!matcher.ok()) {
      return refuse(
          message_answer(400, wrong + "invalid regular expression " + quoted + ": " + matcher.error().message));
    }
    matchers.push_back(std::move(*matcher));
    return true;
  }

  const json& body_;
  HttpResponse refusal_;
};

}  // namespace

HttpResponse handle_silences(const Delivery& delivery, const HttpRequest& request) {
  const auto filter = filter_parameter(request.form);
  if (!filter.ok()) return message_answer(400, filter.error().message);
  const TimestampMs now = now_ms();
  std::vector<Silence> silences = delivery.silences();
  std::erase_if(silences, [&](const Silence& silence) { return !is_wanted(silence, *filter); });
  sort_silences(silences, now);
  std::string body = "[";
  for (const Silence& silence : silences) {
    if (body.size() > 1) body.push_back(',');
    append_silence(body, silence, now);
  }
  body.push_back(']');
  return json_answer(std::move(body));
}

HttpResponse handle_post_silence(Delivery& delivery, const HttpRequest& request) {
  JsonBody body = read_json_body(request, "silence", kMaxSilenceBody);
  if (!body.json) return std::move(body.refusal);
  Silence silence;
  SilenceReader reader(*body.json);
  if (!reader.read(silence)) return reader.take_refusal();
  if (silence.starts_at >= silence.ends_at) {
    return message_answer(400, "Failed to create silence: start time must be before end time");
  }
  if (silence.ends_at < now_ms()) {
    return message_answer(400, "Failed to create silence: end time can't be in the past");
  }
  const auto id = delivery.set_silence(std::move(silence));
  if (!id.ok()) {
    switch (id.error().kind) {
      case ErrorKind::not_found:
        return message_answer(404, id.error().message);
      case ErrorKind::bad_data:
        return message_answer(400, id.error().message);
      default:
        return message_answer(500, id.error().message);
    }
  }
  std::string answer = R"({"silenceID":)";
  append_json_string(answer, *id);
  return json_answer(answer + "}");
}

HttpResponse handle_silence(const Delivery& delivery, std::string_view id) {
  if (!is_uuid(id)) return not_a_uuid(id);
  for (const Silence& silence : delivery.silences()) {
    if (silence.id != id) continue;
    std::string body;
    append_silence(body, silence, now_ms());
    return json_answer(std::move(body));
  }
  HttpResponse response = json_answer("");
  response.status = 404;
  return response;
}

HttpResponse handle_delete_silence(Delivery& delivery, std::string_view id) {
  if (!is_uuid(id)) return not_a_uuid(id);
  const Status status = delivery.expire_silence(std::string(id));
  HttpResponse response = json_answer("");
  if (status.ok()) return response;
  if (status.error().kind != ErrorKind::not_found) return message_answer(500, status.error().message);
  response.status = 404;
  return response;
}

}  // namespace pipit
