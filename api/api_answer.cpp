#include "api/api_answer.h"

#include <memory>
#include <utility>

#include "api/json_writer.h"

namespace pipit {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kSuccess = R"({"status":"success","data":)";

class ElementsBody final : public BodySource {
 public:
  ElementsBody(std::string_view brackets, std::size_t count, std::function<void(std::size_t, std::string&)> write,
               std::vector<std::string> warnings)
      : brackets_(brackets), count_(count), write_(std::move(write)), warnings_(std::move(warnings)) {}

  bool next(std::string& out) override {
    std::size_t end = out.size() + kPieceBytes;
    if (!started_) {
      started_ = true;
      out.append(kSuccess).push_back(brackets_[0]);
    }
    for (; element_ < count_; ++element_) {
      if (out.size() >= end) return true;
      if (element_ > 0) out.push_back(',');
      write_(element_, out);
    }
    out.push_back(brackets_[1]);
    append_json_notes(out, warnings_, {});
    out.push_back('}');
    return false;
  }

 private:
  std::string brackets_;
  std::size_t count_;
  std::function<void(std::size_t, std::string&)> write_;
  std::vector<std::string> warnings_;
  std::size_t element_ = 0;
  bool started_ = false;
};

}  // namespace

HttpResponse text_answer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

std::string_view error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_data:
      return "bad_data";
    case ErrorKind::execution:
      return "execution";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::canceled:
      return "canceled";
    case ErrorKind::internal:
      return "internal";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::not_found:
      return "not_found";
  }
  return "internal";
}

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_data:
      return 400;
    case ErrorKind::execution:
      return 422;
    case ErrorKind::canceled:
      return 499;
    case ErrorKind::timeout:
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::internal:
      return 500;
  }
  return 500;
}

HttpResponse api_error(const Error& error) {
  HttpResponse response;
  response.status = http_status(error.kind);
  response.content_type = kJson;
  response.body.append(R"({"status":"error","errorType":")").append(error_type(error.kind)).append(R"(","error":)");
  append_json_string(response.body, error.message);
  response.body.push_back('}');
  return response;
}

HttpResponse api_success(std::string_view data, const std::vector<std::string>& warnings,
                         const std::vector<std::string>& infos) {
  HttpResponse response;
  response.content_type = kJson;
  response.body.append(kSuccess).append(data);
  append_json_notes(response.body, warnings, infos);
  response.body.push_back('}');
  return response;
}

HttpResponse api_elements(std::string_view brackets, std::size_t count,
                          std::function<void(std::size_t, std::string&)> write,
                          const std::vector<std::string>& warnings) {
  HttpResponse response;
  response.content_type = kJson;
  response.rest = std::make_unique<ElementsBody>(brackets, count, std::move(write), warnings);
  return response;
}

}  // namespace pipit
